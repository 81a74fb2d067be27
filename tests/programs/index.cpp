// index ROUNDS: builds a search index of made-up pages and asks it, again and again.
//
// Two dozen functions of different sizes, with allocations, and with more memory than caches hold.
// The work is always the same. At the end it prints `work ROUNDS`. Other versions of it:
//
//   -DSLOWER_10, -DSLOWER_20, -DSLOWER_50: edit_distance takes so many percent longer
//   -DRENAMED   rank_pages is called weigh_pages
//   -DINLINED   hash_word is inlined where it is called
//   -DMOVED     pack is in another namespace and another file
//   -DSHIFTED   summarize leaves most of its work to digest, which it calls
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cpu.h"

#if defined(SLOWER_10)
#define SLOWER 10
#elif defined(SLOWER_20)
#define SLOWER 20
#elif defined(SLOWER_50)
#define SLOWER 50
#else
#define SLOWER 0
#endif
// Volatile, so that the code is the same whatever it is.
static volatile size_t slower = SLOWER;

#ifdef RENAMED
#define rank_pages weigh_pages
#endif
#ifdef INLINED
#define HASH_WORD static inline __attribute__((always_inline))
#else
#define HASH_WORD static NEVER_INLINED
#endif
#ifdef SHIFTED
static const size_t OWN_PERCENT = 20;
#else
static const size_t OWN_PERCENT = 80;
#endif

using Bytes = std::vector<uint8_t>;
using Words = std::vector<std::string>;

enum { PAGES = 1 << 17, LINKS = 4, SIDE = 100, TITLE = 90, WORDS_OF_A_PAGE = 3000 };

static NEVER_INLINED void spell(uint64_t id, std::string &out) {
    out += static_cast<char>('A' + id % 26);
    for (uint64_t rest = id * 2654435761u % 308915776u; rest > 0; rest /= 26)
        out += static_cast<char>('a' + rest % 26);
}

static NEVER_INLINED std::string make_page(uint64_t *random) {
    std::string page;
    // From half as many to half as many again: rounds of one length might keep step with ticks.
    int words = WORDS_OF_A_PAGE / 2 + static_cast<int>(next_random(random) % WORDS_OF_A_PAGE);
    for (int i = 0; i < words; i++) {
        uint64_t most = 1 + next_random(random) % 4000; // small numbers are frequent
        spell(next_random(random) % most, page);
        page += i % 12 == 11 ? ". " : " ";
    }
    return page;
}

static NEVER_INLINED void fold_case(std::string &page) {
    for (char &letter : page)
        if (letter >= 'A' && letter <= 'Z')
            letter = static_cast<char>(letter + 'a' - 'A');
}

static NEVER_INLINED std::string stem(std::string_view word) {
    for (std::string_view ending : {"ing", "ed", "s", "e"})
        if (word.size() > ending.size() + 2 &&
            word.substr(word.size() - ending.size()) == ending)
            return std::string(word.substr(0, word.size() - ending.size()));
    return std::string(word);
}

static NEVER_INLINED Words split_words(std::string_view page) {
    Words words;
    size_t start = 0;
    for (size_t at = 0; at < page.size(); at++) {
        if (page[at] >= 'a' && page[at] <= 'z')
            continue;
        if (at > start)
            words.push_back(stem(page.substr(start, at - start)));
        start = at + 1;
    }
    return words;
}

HASH_WORD uint64_t hash_word(std::string_view word) {
    uint64_t hash = 14695981039346656037u;
    for (int turn = 0; turn < 4; turn++)
        for (char letter : word)
            hash = (hash ^ static_cast<uint8_t>(letter)) * 1099511628211u;
    return hash;
}

struct Vocabulary {
    Words words = Words(1 << 14);

    NEVER_INLINED uint32_t intern(const std::string &word) {
        size_t mask = words.size() - 1, at = hash_word(word) & mask;
        while (!words[at].empty() && words[at] != word)
            at = (at + 1) & mask;
        words[at] = word;
        return static_cast<uint32_t>(at);
    }
};

static NEVER_INLINED std::vector<std::pair<uint32_t, int>> count_words(std::vector<uint32_t> ids) {
    std::sort(ids.begin(), ids.end());
    std::vector<std::pair<uint32_t, int>> counts;
    for (uint32_t id : ids) {
        if (counts.empty() || counts.back().first != id)
            counts.emplace_back(id, 0);
        counts.back().second++;
    }
    return counts;
}

#ifdef MOVED
namespace codec {
#line 1 "codec.cpp"
#endif
NEVER_INLINED Bytes pack(const std::vector<std::pair<uint32_t, int>> &counts) {
    Bytes packed;
    uint32_t last = 0;
    for (int turn = 0; turn < 30; turn++)
        for (auto [id, count] : counts) {
            for (uint32_t rest = id - last; rest > 0; rest >>= 7)
                packed.push_back(static_cast<uint8_t>(rest | 128));
            packed.push_back(static_cast<uint8_t>(count & 127));
            last = id;
        }
    return packed;
}
#ifdef MOVED
} // namespace codec
using codec::pack;
#endif

static NEVER_INLINED uint64_t unpack(const Bytes &packed) {
    uint64_t all = 0, rest = 0;
    for (int turn = 0; turn < 4; turn++)
        for (uint8_t byte : packed) {
            rest = rest << 7 | (byte & 127);
            if (byte < 128)
                all += std::exchange(rest, 0);
        }
    return all;
}

static NEVER_INLINED uint64_t digest(const uint8_t *from, size_t size, uint64_t sum) {
    for (size_t i = 0; i < size; i++)
        sum = (sum << 5 | sum >> 59) * 31 + from[i];
    return sum;
}

static NEVER_INLINED uint64_t summarize(const std::string &page, uint64_t sum) {
    auto from = reinterpret_cast<const uint8_t *>(page.data());
    size_t own = page.size() * OWN_PERCENT / 100;
    for (int turn = 0; turn < 16; turn++) {
        for (size_t i = 0; i < own; i++)
            sum = (sum << 5 | sum >> 59) * 31 + from[i];
        sum = digest(from + own, page.size() - own, sum);
    }
    return sum;
}

static NEVER_INLINED Bytes compress(const std::string &page) {
    std::vector<size_t> seen(1 << 12);
    Bytes out;
    for (size_t at = 0; at + 4 < page.size();) {
        uint32_t key = static_cast<uint32_t>(page[at] * 7919 + page[at + 1] * 631 + page[at + 2]);
        size_t before = std::exchange(seen[key & 4095], at), same = 0;
        while (at + same < page.size() && same < 60 && page[before + same] == page[at + same])
            same++;
        out.push_back(static_cast<uint8_t>(same > 3 && before < at ? 128 + same : page[at]));
        at += same > 3 && before < at ? same : 1;
    }
    return out;
}

static NEVER_INLINED uint32_t edit_distance(std::string_view a, std::string_view b) {
    size_t extra = a.size() * slower / 100; // rows that are done for nothing
    uint32_t row[TITLE + 1];
    for (size_t step = 0; step < extra + a.size(); step++) {
        size_t i = step < extra ? step : step - extra;
        if (i == 0)
            for (size_t j = 0; j <= b.size(); j++)
                row[j] = static_cast<uint32_t>(j);
        uint32_t diagonal = row[0];
        row[0] = static_cast<uint32_t>(i + 1);
        for (size_t j = 0; j < b.size(); j++) {
            uint32_t changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = std::min(changed, std::min(diagonal, row[j]) + 1);
        }
    }
    return row[b.size()];
}

static NEVER_INLINED uint32_t suggest(std::string_view page) {
    uint32_t nearest = ~0u;
    for (size_t at = TITLE; at + TITLE <= page.size(); at += 2 * TITLE)
        nearest = std::min(nearest, edit_distance(page.substr(0, TITLE), page.substr(at, TITLE)));
    return nearest;
}

struct Node {
    uint32_t id;
    std::unique_ptr<Node> left, right;
};

static NEVER_INLINED void insert_node(std::unique_ptr<Node> *place, uint32_t id) {
    while (*place != nullptr && (*place)->id != id)
        place = id < (*place)->id ? &(*place)->left : &(*place)->right;
    if (*place == nullptr)
        *place = std::unique_ptr<Node>(new Node{id, nullptr, nullptr});
}

static NEVER_INLINED uint64_t walk_tree(const Node *node) {
    return node == nullptr ? 0 : 1 + walk_tree(node->left.get()) + walk_tree(node->right.get());
}

static NEVER_INLINED std::vector<uint32_t> link_pages(uint64_t *random) {
    std::vector<uint32_t> links(PAGES * LINKS);
    for (uint32_t &link : links)
        link = static_cast<uint32_t>(next_random(random) % PAGES);
    return links;
}

static NEVER_INLINED void rank_pages(const std::vector<uint32_t> &links, std::vector<float> &ranks,
                                     size_t first, size_t count) {
    for (size_t page = first; page < first + count; page++) {
        float rank = 0;
        for (size_t i = 0; i < LINKS; i++)
            rank += ranks[links[page * LINKS + i]];
        ranks[page] = 0.15f + 0.85f * rank / LINKS;
    }
}

// Again and again in what caches hold: how much of a large matrix is still there would depend on how
// long the others took, and a slowdown of these would truly be one of this as well.
static NEVER_INLINED void transpose(const std::vector<float> &from, std::vector<float> &to) {
    for (int turn = 0; turn < 27; turn++)
        for (size_t i = 0; i < SIDE; i++)
            for (size_t j = 0; j < SIDE; j++)
                to[j * SIDE + i] = from[i * SIDE + j];
}

static NEVER_INLINED double score_page(const std::vector<std::pair<uint32_t, int>> &counts) {
    double score = 0;
    for (auto [id, count] : counts)
        score += std::log(1.0 + count) / std::sqrt(2.0 + id);
    return score;
}

static NEVER_INLINED void keep_best(std::vector<double> &best, double score) {
    best.push_back(score);
    std::push_heap(best.begin(), best.end(), std::greater<>());
    if (best.size() > 10) {
        std::pop_heap(best.begin(), best.end(), std::greater<>());
        best.pop_back();
    }
}

static NEVER_INLINED std::string show(const std::vector<std::pair<uint32_t, int>> &counts) {
    std::string shown;
    char line[40];
    for (size_t i = 0; i < counts.size(); i += 4) {
        std::snprintf(line, sizeof line, "%u: %d\n", counts[i].first, counts[i].second);
        shown += line;
    }
    return shown;
}

struct Index {
    uint64_t random = 88172645463325252u, sum = 0;
    Vocabulary vocabulary;
    std::vector<uint32_t> links = link_pages(&random);
    std::vector<float> ranks = std::vector<float>(PAGES, 1.0f);
    std::vector<float> matrix = std::vector<float>(SIDE * SIDE, 1.0f), turned = matrix;
    std::vector<double> best;

    NEVER_INLINED void add_page(size_t round) {
        std::string page = make_page(&random);
        fold_case(page);
        std::vector<uint32_t> ids;
        std::unique_ptr<Node> tree;
        for (const std::string &word : split_words(page)) {
            ids.push_back(vocabulary.intern(word));
            insert_node(&tree, ids.back());
        }
        auto counts = count_words(std::move(ids));
        sum += unpack(pack(counts)) + compress(page).size() + walk_tree(tree.get());
        sum = summarize(page, sum) + suggest(page) + show(counts).size();
        rank_pages(links, ranks, round % 2 * (PAGES / 2), PAGES / 2);
        transpose(matrix, turned);
        keep_best(best, score_page(counts));
    }
};

int main(int argc, char **argv) {
    size_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
    Index index;
    for (size_t round = 0; round < rounds; round++)
        index.add_page(round);
    std::printf("sum %llu\nwork %zu\n", static_cast<unsigned long long>(index.sum), rounds);
}
