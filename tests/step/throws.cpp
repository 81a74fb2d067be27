// Exceptions through frames with and without destructors, virtual calls, and the standard library.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#define NEVER_INLINED __attribute__((noinline))

static volatile uint64_t sink;

struct Guard {
    uint64_t value;
    NEVER_INLINED ~Guard() { sink = sink + value; }
};

struct Shape {
    virtual ~Shape() = default;
    virtual uint64_t area(uint64_t) const = 0;
};

struct Square final : Shape {
    NEVER_INLINED uint64_t area(uint64_t x) const override { return x * x; }
};

struct Thrower final : Shape {
    NEVER_INLINED uint64_t area(uint64_t x) const override {
        if (x % 3 != 0)
            throw std::runtime_error("a message that is long enough to be allocated");
        return x;
    }
};

NEVER_INLINED static uint64_t deep(const Shape &shape, uint64_t x, int depth) {
    Guard guard{x};
    return depth == 0 ? shape.area(x) : deep(shape, x + 1, depth - 1) + guard.value;
}

NEVER_INLINED static uint64_t caught(const Shape &shape, uint64_t x) {
    try {
        return deep(shape, x, 4);
    } catch (const std::exception &error) {
        return std::string(error.what()).size();
    }
}

NEVER_INLINED static uint64_t thrown_again(const Shape &shape, uint64_t x) {
    try {
        try {
            return deep(shape, x, 2);
        } catch (...) {
            Guard guard{1};
            throw;
        }
    } catch (const std::runtime_error &) {
        return 7;
    }
}

NEVER_INLINED static uint64_t collects(uint64_t x) {
    std::vector<std::string> words;
    std::map<std::string, uint64_t> counts;
    for (uint64_t i = 0; i < 12; i++)
        words.push_back(std::to_string(x * (i + 1) % 97) + " and a tail that does not fit inside");
    std::sort(words.begin(), words.end(), [](const auto &a, const auto &b) { return b < a; });
    for (const auto &word : words)
        counts[word]++;
    std::function<uint64_t(uint64_t)> add = [&](uint64_t y) { return y + counts.size(); };
    return add(words.front().size());
}

int main() {
    std::unique_ptr<Shape> square = std::make_unique<Square>(), thrower = std::make_unique<Thrower>();
    uint64_t x = 5;
    for (int round = 0; round < 2; round++) {
        x += caught(*square, x) + caught(*thrower, x) + caught(*thrower, x + 1);
        x += thrown_again(*thrower, x) + thrown_again(*thrower, x + 1) + collects(x);
    }
    std::printf("%llx\n", static_cast<unsigned long long>(x ^ sink));
    return 3;
}
