/** A rule's TOML text and the fields of its form, both ways: the form changes single lines, comments and order stay. */

interface Place {
  /** Lines of the section without its header: [from, to). */
  from: number
  to: number
}

function sectionOf(lines: string[], section: string): Place | null {
  let from = section === '' ? 0 : -1
  for (let i = 0; i < lines.length; i += 1) {
    const header = /^\s*\[+\s*([^\]]+?)\s*\]+/.exec(lines[i] ?? '')
    if (!header) continue
    if (from >= 0) return { from, to: i }
    if (header[1] === section) from = i + 1
  }
  return from >= 0 ? { from, to: lines.length } : null
}

function lineOf(lines: string[], section: string, key: string): number {
  const place = sectionOf(lines, section)
  if (!place) return -1
  for (let i = place.from; i < place.to; i += 1) {
    const found = /^\s*"?([\w-]+)"?\s*=/.exec(lines[i] ?? '')
    if (found?.[1] === key) return i
  }
  return -1
}

/** A value as it stands, texts without quotes; '' when it is not there. */
export function getField(text: string, section: string, key: string): string {
  const lines = text.split('\n')
  const at = lineOf(lines, section, key)
  if (at < 0) return ''
  const raw = (lines[at] ?? '').replace(/^[^=]*=\s*/, '')
  const quoted = /^"((?:[^"\\]|\\.)*)"/.exec(raw)
  if (quoted) return (quoted[1] ?? '').replace(/\\(["\\])/g, '$1')
  return raw.replace(/\s*#.*$/, '').trim()
}

const literal = (value: string): string => (/^(true|false|-?\d+(\.\d+)?)$/.test(value) ? value : `"${value.replace(/[\\"]/g, '\\$&')}"`)

/** The text with one value set; '' takes the line away. `asText` keeps a number in quotes, as codes of categories are. */
export function setField(text: string, section: string, key: string, value: string, asText = false): string {
  const lines = text.split('\n')
  const at = lineOf(lines, section, key)
  const line = `${key} = ${asText ? `"${value.replace(/[\\"]/g, '\\$&')}"` : literal(value)}`
  if (value === '') {
    if (at >= 0) lines.splice(at, 1)
    return lines.join('\n')
  }
  if (at >= 0) {
    const comment = /\s+#[^"]*$/.exec(lines[at] ?? '')
    lines[at] = line + (comment ? comment[0] : '')
    return lines.join('\n')
  }
  const place = sectionOf(lines, section)
  if (!place) {
    while (lines.length > 0 && lines.at(-1)?.trim() === '') lines.pop()
    return [...lines, '', `[${section}]`, line, ''].join('\n')
  }
  let end = place.to
  while (end > place.from && lines[end - 1]?.trim() === '') end -= 1
  lines.splice(end, 0, line)
  return lines.join('\n')
}
