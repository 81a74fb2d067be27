// pool: four threads take jobs from a queue; some jobs throw. Output is the same in every run.
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <map>
#include <mutex>
#include <queue>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static std::mutex mutex;
static std::condition_variable ready;
static std::queue<int> jobs;
static std::map<int, std::string> results;

static std::string work(int job) {
    std::vector<std::string> words;
    uint64_t state = static_cast<uint64_t>(job) + 1;
    for (int i = 0; i < 20000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        words.push_back(std::to_string(state >> 33));
    }
    std::sort(words.begin(), words.end());
    if (job % 7 == 0)
        throw std::runtime_error("job " + std::to_string(job) + " threw at " + words[job]);
    uint64_t sum = 0;
    for (const std::string &word : words)
        sum = sum * 31 + std::hash<std::string>()(word);
    return std::to_string(sum);
}

static std::string result_of(int job) {
    try {
        return work(job);
    } catch (const std::exception &error) {
        return error.what();
    }
}

static void run() {
    for (;;) {
        int job;
        {
            std::unique_lock<std::mutex> lock(mutex);
            ready.wait(lock, [] { return !jobs.empty(); });
            job = jobs.front();
            jobs.pop();
        }
        if (job < 0)
            return;
        std::string result = result_of(job);
        std::lock_guard<std::mutex> lock(mutex);
        results[job] = result;
    }
}

int main() {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back(run);
    for (int job = 0; job < 200; job++) {
        std::lock_guard<std::mutex> lock(mutex);
        jobs.push(job);
        ready.notify_one();
    }
    for (int i = 0; i < 4; i++) {
        std::lock_guard<std::mutex> lock(mutex);
        jobs.push(-1);
        ready.notify_one();
    }
    for (std::thread &thread : threads)
        thread.join();
    for (const auto &[job, result] : results)
        std::printf("%d %s\n", job, result.c_str());
    return 3;
}
