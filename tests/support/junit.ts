/** Reads the JUnit report that `deno test --junit-path` writes. @module */

/** One test, or one step of a test. */
export interface TestCase {
  /** The module that it is written in, relative to the project: `./tests/support/rings.ts`. */
  file: string;
  /** Its name; of a step `test > step`. */
  name: string;
  /** How long it took. */
  seconds: number;
  /** How it ended. */
  outcome: "passed" | "failed" | "skipped";
  /** Its error with the difference and the stack, without colours; empty when it did not fail. */
  message: string;
}

const ENTITIES: Record<string, string> = {
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&apos;": "'",
  "&amp;": "&",
};

function unescape(text: string): string {
  return text.replace(
    /&(?:lt|gt|quot|apos|amp);/g,
    (entity) => ENTITIES[entity] ?? entity,
  )
    .replace(
      /&#(x?)([\da-f]+);/gi,
      (_, hex: string, digits: string) =>
        String.fromCodePoint(parseInt(digits, hex ? 16 : 10)),
    );
}

function attributesOf(tag: string): Map<string, string> {
  const pairs = tag.matchAll(/([\w-]+)="([^"]*)"/g);
  return new Map(
    pairs.map(([, name = "", value = ""]) => [name, unescape(value)]),
  );
}

/** Text without colours. */
export function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- every colour begins with an escape
  return text.replace(/\x1b\[[\d;]*m/g, "");
}

/** What a report says of an error: its text, or the attribute, which has no stack. */
function messageOf(tag: string, body: string): string {
  const text = unescape(body).trim();
  return plain(text || (attributesOf(tag).get("message") ?? "failed"));
}

/**
 * Every test and step in a report. Tests that a filter, or an `only`, left out are not listed.
 *
 * @param xml the report
 * @returns the tests, in the report's order
 */
export function parseJunit(xml: string): TestCase[] {
  const cases: TestCase[] = [];
  const elements = xml.matchAll(
    /<testcase\b([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  );
  for (const [, tag = "", body = ""] of elements) {
    const attributes = attributesOf(tag);
    const time = attributes.get("time");
    // Deno reports what was filtered out as skipped too, but without a time.
    if (time === undefined) continue;
    const problem =
      /<(?<kind>failure|error)\b(?<tag>[^>]*?)(?:\/>|>(?<text>[\s\S]*?)<\/\k<kind>>)/
        .exec(body)?.groups;
    cases.push({
      file: attributes.get("classname") ?? "",
      name: attributes.get("name") ?? "",
      seconds: Number(time),
      outcome: problem
        ? "failed"
        : /<skipped\b/.test(body)
        ? "skipped"
        : "passed",
      message: problem ? messageOf(problem.tag ?? "", problem.text ?? "") : "",
    });
  }
  return cases;
}
