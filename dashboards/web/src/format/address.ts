/** Network addresses as a person types them into a device. */

/** Listening on every interface is no address to dial: the host of the page stands in for it. */
export function reachable(listening: string, host: string): string {
  const port = listening.slice(listening.lastIndexOf(':') + 1)
  const own = listening.slice(0, listening.lastIndexOf(':'))
  return own === '0.0.0.0' || own === '[::]' ? `${host}:${port}` : listening
}
