"""Counts words, long enough to be sampled."""

counts = {}
for number in range(1_500_000):
    word = f"word{number % 997}"
    counts[word] = counts.get(word, 0) + 1
print(max(counts.items(), key=lambda item: item[1]))
