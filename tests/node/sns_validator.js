// Validates the SNS message on stdin with npm's sns-validator, as a subscriber does. Exits with 0 when it is good. The validator
// insists on AWS's host by default; as its documentation says, another host is given as a pattern.
const MessageValidator = require('sns-validator');

let text = '';
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('end', () => {
  new MessageValidator(/^localhost:\d+$/).validate(JSON.parse(text), (error) => {
    if (error) console.error(String(error));
    process.exit(error ? 1 : 0);
  });
});
