/**
 * Signals that abort much at once.
 *
 * @module
 */

/**
 * Whom to tell of which signal. One listener for each signal: where thousands listen, the runtime looks
 * at all of them to add or to remove one.
 */
const told = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when a signal aborts, that has not yet.
 *
 * @returns what ends the waiting. To be called in any case: a signal may live longer than the op.
 */
export function whenAborted(
  signal: AbortSignal,
  callback: () => void,
): () => void {
  let callbacks = told.get(signal);
  if (callbacks === undefined) told.set(signal, callbacks = new Set());
  if (callbacks.size === 0) signal.addEventListener("abort", tell);
  callbacks.add(callback);
  return () => {
    if (!callbacks.delete(callback) || callbacks.size > 0) return;
    signal.removeEventListener("abort", tell);
  };
}

function tell({ currentTarget }: Event): void {
  const callbacks = told.get(currentTarget as AbortSignal) ?? [];
  // Not those that one before them ends.
  for (const callback of callbacks) {
    // As with listeners of their own: one that fails keeps nobody else from being told.
    try {
      callback();
    } catch (error) {
      reportError(error);
    }
  }
}
