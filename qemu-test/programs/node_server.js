// SPDX-License-Identifier: GPL-2.0
// The server of node.py: it makes digests by a worker thread, a child process, libuv's thread pool, or after a while.
"use strict";
const { createHash, webcrypto } = require("node:crypto");
const { fork } = require("node:child_process");
const http = require("node:http");
const { Worker, isMainThread, parentPort } = require("node:worker_threads");

const digest = (text) => createHash("sha256").update(text).digest("hex");

// Answers questions that are numbered, in whatever order.
class Asker {
	constructor(other, send) {
		this.waiting = new Map();
		this.last = 0;
		this.send = send;
		other.on("message", ([number, answer]) => {
			this.waiting.get(number)(answer);
			this.waiting.delete(number);
		});
	}
	ask(text) {
		return new Promise((resolve) => {
			this.waiting.set(++this.last, resolve);
			this.send([this.last, text]);
		});
	}
}

if (!isMainThread) {
	parentPort.on("message", ([number, text]) => parentPort.postMessage([number, digest(text)]));
} else if (process.send) {
	process.on("message", ([number, text]) => process.send([number, digest(text)]));
	process.on("disconnect", () => process.exit(0));
} else {
	const worker = new Worker(__filename);
	const child = fork(__filename);
	const byThread = new Asker(worker, (question) => worker.postMessage(question));
	const byChild = new Asker(child, (question) => child.send(question));
	const counts = { thread: 0, child: 0, pool: 0, timer: 0 };
	const makers = {
		thread: (text) => byThread.ask(text),
		child: (text) => byChild.ask(text),
		pool: async (text) => Buffer.from(await webcrypto.subtle.digest("SHA-256", Buffer.from(text))).toString("hex"),
		timer: (text) => new Promise((resolve) => setTimeout(() => resolve(digest(text)), 20)),
	};
	const server = http.createServer(async (request, response) => {
		const parts = [];
		for await (const part of request) {
			parts.push(part);
		}
		const kind = request.url.slice(1);
		if (kind === "counts") {
			response.end(JSON.stringify(counts));
			return;
		}
		const made = await makers[kind](Buffer.concat(parts).toString());
		counts[kind]++;
		response.end(made);
	});
	// The connections are kept for as long as the clients want.
	server.keepAliveTimeout = 0;
	server.requestTimeout = 0;
	server.headersTimeout = 0;
	server.listen(process.argv[2]);
	process.on("SIGTERM", async () => {
		server.close();
		child.disconnect();
		child.on("exit", async (code) => {
			await worker.terminate();
			process.exit(code);
		});
	});
}
