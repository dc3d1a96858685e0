/** 帧的来路与上游消息代理。 */
export default {
  channel: {
    mqtt_telemetry: 'MQTT 遥测',
    mqtt_event: 'MQTT 事件',
    mqtt_status: 'MQTT 状态',
    mqtt_reply: 'MQTT 应答',
    mqtt_thingsboard: 'MQTT（ThingsBoard）',
    mqtt_sparkplug: 'MQTT（Sparkplug B）',
    mqtt_onvif: 'MQTT（ONVIF 事件）',
    http_telemetry: 'HTTP 遥测',
    http_event: 'HTTP 事件',
    http_pictures: 'HTTP 事件（含图片）',
    hj212_frame: 'HJ 212',
    jt808_frame: 'JT/T 808',
    jt808_attachment: 'JT/T 808 报警附件',
    modbus_reading: 'Modbus',
  },
  broker: {
    title: '上游消息代理',
    up: '已连接，自',
    down: '未连接，自',
  },
}
