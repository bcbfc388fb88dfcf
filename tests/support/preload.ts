/**
 * Runs before the examples of the documentation: opens the library, which stays open as long
 * as the isolate, so that no example counts as the one that leaks it.
 */

import { openKernel } from "../../ffi/backend.ts";
import { errnoName } from "../../ffi/errno.ts";

openKernel();
errnoName(1);
