/** Bytes of an explained frame, and which field each lies in. */

interface Field {
  at: number
  len: number
  depth: number
}

/** `7e02` → `['7e', '02']`. */
export function bytesOf(hex: string): string[] {
  return hex.match(/../g) ?? []
}

/** For each byte the index of the innermost field that holds it; -1 where none does. Fields come in order of offset, deeper after shallower. */
export function leafAt(fields: readonly Field[], count: number): number[] {
  const leaves = new Array<number>(count).fill(-1)
  fields.forEach((field, index) => {
    for (let byte = field.at; byte < Math.min(field.at + field.len, count); byte += 1) {
      const before = fields[leaves[byte] ?? -1]
      if (before === undefined || before.depth <= field.depth) leaves[byte] = index
    }
  })
  return leaves
}
