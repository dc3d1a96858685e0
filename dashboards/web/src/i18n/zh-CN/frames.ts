/** 报文解析的词。 */
export default {
  frameExplain: {
    hint: 'HJ 212、JT/T 808、Modbus（TCP 与 RTU）、MQTT 报文及其 JSON；逐字节说明字段、单位与问题',
    paste: '粘贴一帧：以 ## 开头的文本，或十六进制字节',
    go: '解析',
    try: '试试示例：',
    frame: '逐字节解析',
    answer: '平台应答：{answer}',
    sound: '未发现问题',
    troubles: '{n} 处问题，其中 {fatal} 处会被拒收',
    bytes: '帧的字节',
    fields: '帧的字段',
    offset: '偏移',
    length: '长度',
    field: '字段',
    value: '值',
    problem: '问题',
    clause: '条款',
    whole: '整帧',
    direction: {
      up: '上行：设备 → 平台',
      down: '下行：平台 → 设备',
      either: '双向',
    },
  },
}
