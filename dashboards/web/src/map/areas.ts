/** Line and ground of an area by its purpose. */
export const AREA_COLOURS: Record<string, [string, string]> & { parking: [string, string] } = {
  no_go: ['#a3262f', 'rgba(179,32,42,0.14)'],
  parking: ['#3f6c95', 'rgba(63,108,149,0.14)'],
  temporary_dump: ['#6d5a33', 'rgba(125,106,69,0.18)'],
  speed: ['#98500a', 'rgba(200,110,20,0.12)'],
  transfer: ['#4b6b2f', 'rgba(88,128,52,0.16)'],
  sensitive: ['#6a4a8a', 'rgba(106,74,138,0.12)'],
}
