/** Bytes as an editor shows them: offset, sixteen bytes, what is printable. */

export interface HexRow {
  offset: string
  bytes: string
  text: string
}

export function parseHex(hex: string): Uint8Array {
  const clean = hex.replace(/[^0-9a-fA-F]/g, '')
  const bytes = new Uint8Array(clean.length >> 1)
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = Number.parseInt(clean.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

export function hexRows(hex: string): HexRow[] {
  const bytes = parseHex(hex)
  const rows: HexRow[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const part = [...bytes.slice(at, at + 16)]
    rows.push({
      offset: at.toString(16).padStart(4, '0'),
      bytes: part.map((b) => b.toString(16).padStart(2, '0')).join(' '),
      text: part.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '·')).join(''),
    })
  }
  return rows
}
