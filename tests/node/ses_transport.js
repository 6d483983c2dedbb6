// Sends a mail with an attachment by nodemailer's SES transport, as an application does that was written for Amazon SES. Where it
// goes is in AWS's own variables: AWS_ENDPOINT_URL_SESV2, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY.
const nodemailer = require('nodemailer');
const { SESv2Client, SendEmailCommand } = require('@aws-sdk/client-sesv2');

const [, , from, to] = process.argv;
const transport = nodemailer.createTransport({ SES: { sesClient: new SESv2Client({}), SendEmailCommand } });
transport.sendMail({
  from: `Jürgen <${from}>`, to, subject: 'Grüße from nodemailer', text: 'text 世界', html: '<b>html 世界</b>',
  attachments: [{ filename: 'Prüfung.bin', content: Buffer.from(Array.from({ length: 256 }, (_, n) => n)) }],
  ses: { EmailTags: [{ Name: 'program', Value: 'nodemailer' }] },
}).then((info) => console.log(info.response), (error) => {
  console.error(error);
  process.exit(1);
});
