/** Words of the frame explainer. */
export default {
  frameExplain: {
    hint: 'HJ 212, JT/T 808, Modbus (TCP and RTU), MQTT packets and their JSON: every byte with field, unit and problem',
    paste: 'Paste a frame: text that starts with ##, or bytes as hex',
    go: 'Explain',
    try: 'Try an example:',
    frame: 'Explain byte by byte',
    answer: 'The platform answers: {answer}',
    sound: 'No problem found',
    troubles: '{n} problems, {fatal} of which refuse the frame',
    bytes: 'Bytes of the frame',
    fields: 'Fields of the frame',
    offset: 'Offset',
    length: 'Length',
    field: 'Field',
    value: 'Value',
    problem: 'Problem',
    clause: 'Clause',
    whole: 'Whole frame',
    direction: {
      up: 'up: device to platform',
      down: 'down: platform to device',
      either: 'either way',
    },
  },
}
