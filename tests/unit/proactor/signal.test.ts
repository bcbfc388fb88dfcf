/** Whom an abort tells, and who is left listening. */

import { assertEquals } from "@std/assert";
import { whenAborted } from "../../../proactor/signal.ts";
import { Abort } from "../../simulated/abort.ts";

Deno.test("signal: one listener for all who wait, and none when nobody does", () => {
  const abort = new Abort();
  const told: string[] = [];
  const ends = ["a", "b"].map((name) =>
    whenAborted(abort.signal, () => told.push(name))
  );
  assertEquals(abort.listeners, 1);
  ends[0]?.();
  ends[0]?.();
  assertEquals(abort.listeners, 1);
  ends[1]?.();
  ends[1]?.();
  assertEquals(abort.listeners, 0);
  whenAborted(abort.signal, () => told.push("c"));
  assertEquals(abort.listeners, 1);
  abort.abort();
  assertEquals(told, ["c"]);
});

Deno.test("signal: who fails, and who ends another's waiting, keeps nobody else from being told", () => {
  const abort = new Abort();
  const told: string[] = [];
  const reported: string[] = [];
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    reported.push(event.error.message);
  };
  addEventListener("error", onError);
  const wait = (name: string, then: () => void = () => {}) =>
    whenAborted(abort.signal, () => {
      told.push(name);
      then();
    });
  wait("fails", () => {
    throw new Error("mine");
  });
  wait("ends", () => end());
  const end = wait("ended");
  wait("last");
  abort.abort();
  removeEventListener("error", onError);
  assertEquals([told, reported], [["fails", "ends", "last"], ["mine"]]);
});
