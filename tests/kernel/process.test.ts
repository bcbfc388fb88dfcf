import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import {
  CLD_CONTINUED,
  CLD_EXITED,
  CLD_KILLED,
  CLD_STOPPED,
  P_ALL,
  P_PGID,
  P_PID,
  WCONTINUED,
  WEXITED,
  WNOHANG,
  WNOWAIT,
  WSTOPPED,
} from "../../ffi/mod.ts";
import { waitid } from "../../ops/process.ts";
import { run } from "../../ops/run.ts";
import { eachRing } from "../support/rings.ts";

const SIGCHLD = 17;
const SIGCONT = 18;
const SIGSTOP = 19;
const SIGKILL = 9;

/** Deno waits for its children too: the test only looks. */
const ENDED = { options: WEXITED | WNOWAIT };

function sh(script: string): Deno.ChildProcess {
  return new Deno.Command("sh", { args: ["-c", script] }).spawn();
}

eachRing("waitid: a child that exits", { needs: ["waitid"] }, async (ring) => {
  const child = sh("exit 3");
  const ended = run(ring, waitid(P_PID, child.pid, ENDED));
  assertEquals(ended, {
    pid: child.pid,
    uid: Deno.uid() ?? -1,
    signal: SIGCHLD,
    status: 3,
    code: CLD_EXITED,
  });
  assertEquals((await child.status).code, 3);
});

eachRing(
  "waitid: a child that a signal ends",
  { needs: ["waitid"] },
  async (ring) => {
    const child = sh("exec sleep 100");
    child.kill("SIGKILL");
    const ended = run(ring, waitid(P_PID, child.pid, ENDED));
    assertEquals([ended?.code, ended?.status], [CLD_KILLED, SIGKILL]);
    await child.status;
  },
);

eachRing(
  "waitid: nothing has happened yet",
  { needs: ["waitid"] },
  async (ring) => {
    const child = sh("exec sleep 100");
    const options = WEXITED | WNOHANG;
    assertEquals(run(ring, waitid(P_PID, child.pid, { options })), undefined);
    child.kill("SIGKILL");
    run(ring, waitid(P_PID, child.pid, ENDED));
    await child.status;
  },
);

eachRing(
  "waitid: a child that stops and goes on",
  { needs: ["waitid"] },
  async (ring) => {
    const child = sh("exec sleep 100");
    Deno.kill(child.pid, "SIGSTOP");
    const stopped = run(ring, waitid(P_PID, child.pid, { options: WSTOPPED }));
    assertEquals([stopped?.code, stopped?.status], [CLD_STOPPED, SIGSTOP]);
    Deno.kill(child.pid, "SIGCONT");
    const going = run(ring, waitid(P_PID, child.pid, { options: WCONTINUED }));
    assertEquals([going?.code, going?.status], [CLD_CONTINUED, SIGCONT]);
    child.kill("SIGKILL");
    await child.status;
  },
);

eachRing("waitid: any child", { needs: ["waitid"] }, async (ring) => {
  const child = sh("exit 0");
  const ended = run(ring, waitid(P_ALL, 0, ENDED));
  assertEquals(ended?.code, CLD_EXITED);
  assertGreater(ended?.pid ?? 0, 0);
  await child.status;
});

eachRing("waitid: none to wait for", { needs: ["waitid"] }, (ring) => {
  assertThrows(() => run(ring, waitid(P_PID, Deno.pid)), Error, "ECHILD");
  assertThrows(() => run(ring, waitid(P_PGID, 0x7fff_ffff)), Error, "ECHILD");
  const nothing = { options: 0 };
  assertThrows(() => run(ring, waitid(P_PID, 1, nothing)), Error, "EINVAL");
  assertThrows(() => run(ring, waitid(99, 1)), Error, "EINVAL");
});
