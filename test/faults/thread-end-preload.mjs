// Loaded by the tests before the command and each of its threads (node --import): ends threads in the middle of their work.
//   TEST_THREAD     file name of the threads
//   TEST_WAY        exit: as a library would that gives up; throw: out of a callback; memory: takes all there is
//   TEST_MESSAGES   so many messages each of them still sends
import process from "node:process";
import { setImmediate } from "node:timers";
import { isMainThread, MessagePort } from "node:worker_threads";

const ends = {
  exit: () => process.exit(7),
  throw: () =>
    setImmediate(() => {
      throw new Error("out of a callback");
    }),
  memory: () => {
    for (const held = []; ;) held.push(new Array(100_000).fill({}));
  },
};

if (!isMainThread && process.argv[1].endsWith(process.env.TEST_THREAD)) {
  const { postMessage } = MessagePort.prototype;
  let left = Number(process.env.TEST_MESSAGES);
  MessagePort.prototype.postMessage = function (...message) {
    if (left-- > 0) {
      postMessage.apply(this, message);
      return;
    }
    MessagePort.prototype.postMessage = postMessage; // Node tells the main thread of the end
    ends[process.env.TEST_WAY]();
  };
}
