//! Real files: our own executable, what the system brings, and damaged copies of both.

