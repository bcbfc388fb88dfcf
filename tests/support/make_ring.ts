/** A program that makes a ring, and says which backend it got. */

import { Ring } from "../../ring/mod.ts";

using ring = new Ring(2);
console.log(ring.backend);
