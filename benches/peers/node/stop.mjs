// Ending on SIGTERM and SIGINT.
const STOP_MS_MAX = 4_500;

/** Runs `finish` once and ends the process, however long it takes. */
export function onStop(finish) {
  let stopping = false;
  const stop = async () => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    await finish();
    process.exit(0);
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
}
