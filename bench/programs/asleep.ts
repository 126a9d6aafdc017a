/** A node process that does nothing until it is killed. */
setInterval(() => {}, 1e9);
