// Renders each template of the JSON list on stdin with Handlebars.js, without escaping, as SES's templates are; writes what came of
// each as JSON.
const Handlebars = require('handlebars');

Handlebars.log = () => {};
let text = '';
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('end', () => {
  const done = JSON.parse(text).map(({ template, data }) => {
    try {
      return { text: Handlebars.compile(template, { noEscape: true })(JSON.parse(data)) };
    } catch (error) {
      return { error: String(error.message) };
    }
  });
  process.stdout.write(JSON.stringify(done));
});
