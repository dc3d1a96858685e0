/** Ways of a frame, and brokers that are read from. */
export default {
  channel: {
    mqtt_telemetry: 'MQTT telemetry',
    mqtt_event: 'MQTT event',
    mqtt_status: 'MQTT status',
    mqtt_reply: 'MQTT reply',
    mqtt_thingsboard: 'MQTT (ThingsBoard)',
    mqtt_sparkplug: 'MQTT (Sparkplug B)',
    mqtt_onvif: 'MQTT (ONVIF events)',
    http_telemetry: 'HTTP telemetry',
    http_event: 'HTTP events',
    http_pictures: 'HTTP event with pictures',
    hj212_frame: 'HJ 212',
    jt808_frame: 'JT/T 808',
    jt808_attachment: 'JT/T 808 alarm file',
    modbus_reading: 'Modbus',
  },
  broker: {
    title: 'Brokers read from',
    up: 'Connected since',
    down: 'Away since',
  },
}
