import { describe, expect, it } from 'vitest'
import { getField, setField } from './ruleText'

const TEXT = `# a comment
code = "x"
class = "violation" # why

[scope]
subject_kind = "restaurant"

[parameters]
window = "60min"
margin_m = 20

[case]
category = "06027"
`

describe('a rule as a form and as a text', () => {
  it('reads what stands in its section', () => {
    expect(getField(TEXT, '', 'code')).toBe('x')
    expect(getField(TEXT, 'parameters', 'margin_m')).toBe('20')
    expect(getField(TEXT, 'case', 'category')).toBe('06027')
    expect(getField(TEXT, '', 'window')).toBe('')
  })
  it('changes one line and leaves the rest as it was', () => {
    const next = setField(TEXT, 'parameters', 'window', '30min')
    expect(next).toBe(TEXT.replace('"60min"', '"30min"'))
    expect(setField(TEXT, '', 'class', 'device_fault')).toContain('class = "device_fault" # why')
    expect(setField(TEXT, 'case', 'category', '123', true)).toContain('category = "123"')
  })
  it('adds a line, a section, and takes a line away', () => {
    expect(setField(TEXT, 'parameters', 'for', '5min')).toContain('margin_m = 20\nfor = "5min"\n\n[case]')
    expect(setField('code = "x"\n', 'case', 'name', 'n')).toBe('code = "x"\n\n[case]\nname = "n"\n')
    expect(setField(TEXT, 'parameters', 'window', '')).not.toContain('window')
  })
  it('gives back what it was given', () => {
    expect(getField(setField(TEXT, 'case', 'name', 'say "no"'), 'case', 'name')).toBe('say "no"')
  })
})
