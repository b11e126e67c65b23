/** Makes a function on its first call: compiling a schema takes some milliseconds that a command without such input should not pay. */
export function lazily<A, R>(make: () => (argument: A) => R): (argument: A) => R {
  let made: ((argument: A) => R) | undefined;
  return (argument) => (made ??= make())(argument);
}
