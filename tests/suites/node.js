// node.js workers|children|pool: work whose output is the same in every run.
const { Worker, isMainThread, workerData } = require("worker_threads");
const { createHash, pbkdf2 } = require("crypto");
const { execFile, fork } = require("child_process");
const { deflate, inflate } = require("zlib");
const { promisify } = require("util");

const hash = (data) => createHash("sha256").update(data).digest("hex");

// Eight threads add to the same counters, one million times each.
async function workers() {
    const counters = new Int32Array(new SharedArrayBuffer(4 * 16));
    const run = (number) => new Promise((resolve, reject) => {
        const worker = new Worker(__filename, { workerData: { counters, number } });
        worker.on("error", reject).on("exit", resolve);
    });
    console.log(await Promise.all([...Array(8).keys()].map(run)));
    console.log(counters.join(" "));
}

function count({ counters, number }) {
    for (let i = 0; i < 1e6; i++) Atomics.add(counters, (i * 7 + number) % 16, i % 3);
    process.exit(number);
}

async function children() {
    const one = async (number) => {
        const program = `let s = ${number}; for (let i = 0; i < 3e6; i++) s = (s * 31 + i) % 65521;
            console.log(s); process.exitCode = s % 2`;
        return promisify(execFile)(process.execPath, ["-e", program])
            .then(({ stdout }) => stdout, ({ code, stdout }) => `${code}: ${stdout}`);
    };
    for (let round = 0; round < 4; round++) {
        console.log(await Promise.all([1, 2, 3, 4].map((i) => one(10 * round + i))));
    }
    const child = fork(__filename, ["echo"]);
    child.send({ hello: [1, 2, 3] });
    child.on("message", (message) => console.log(message));
    console.log(await new Promise((resolve) => child.on("exit", (...how) => resolve(how))));
}

async function pool() {
    const data = Buffer.from([...Array(300000).keys()].map((i) => i * i).join(" "));
    const once = async (level) => {
        const packed = await promisify(deflate)(data, { level });
        const same = data.equals(await promisify(inflate)(packed));
        const key = await promisify(pbkdf2)("password", `${level}`, 100000, 32, "sha256");
        return [packed.length, same, hash(packed), key.toString("hex")].join(" ");
    };
    console.log((await Promise.all([1, 3, 6, 8].map(once))).join("\n"));
}

if (!isMainThread) {
    count(workerData);
} else if (process.argv[2] === "echo") {
    process.on("message", (message) => process.send(message, () => process.kill(process.pid, "SIGTERM")));
} else {
    ({ workers, children, pool })[process.argv[2]]();
}
