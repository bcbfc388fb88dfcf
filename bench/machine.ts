import os from "node:os";

/** What a reader must know of the machine to judge the figures, a line each. */
export async function machine(): Promise<string[]> {
  const cores = os.cpus();
  const load = Deno.loadavg().map((average) => average.toFixed(2)).join(" ");
  const busy = await busyCores(300);
  return [
    `Deno ${Deno.version.deno} (V8 ${Deno.version.v8}), Linux ${Deno.osRelease()}, ${Deno.build.arch}`,
    `${cores.length} cores, ${cores[0]?.model.trim() || "of unknown model"}`,
    `load of 1, 5, 15 minutes: ${load}; cores kept busy by others right now: ${
      busy.toFixed(2)
    }`,
  ];
}

/**
 * How many cores' worth of time was not idle during the next `milliseconds`: the load average
 * still counts what ended a minute ago, and not what a hypervisor's other guests took.
 */
async function busyCores(milliseconds: number): Promise<number> {
  const before = await ticks();
  await new Promise((resolve) => setTimeout(resolve, milliseconds));
  const after = await ticks();
  const all = after.all - before.all;
  if (all === 0) return 0;
  return (1 - (after.idle - before.idle) / all) * navigator.hardwareConcurrency;
}

async function ticks(): Promise<{ all: number; idle: number }> {
  const [line = ""] = (await Deno.readTextFile("/proc/stat")).split("\n");
  // user nice system idle iowait irq softirq steal; guest time is in user already.
  const fields = line.split(/\s+/).slice(1, 9).map(Number);
  const all = fields.reduce((sum, field) => sum + field, 0);
  return { all, idle: (fields[3] ?? 0) + (fields[4] ?? 0) };
}
