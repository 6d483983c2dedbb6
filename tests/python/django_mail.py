"""Sends a mail with an attachment from Django by django-ses, as an application does that was written for Amazon SES.

    python django_mail.py ENDPOINT_URL v1|v2 FROM TO"""
import sys

from django.conf import settings

endpoint, version, sender, to = sys.argv[1:]
settings.configure(
    EMAIL_BACKEND="django_ses.SESBackend", AWS_SES_REGION_NAME="us-east-1", AWS_SES_REGION_ENDPOINT_URL=endpoint,
    USE_SES_V2=version == "v2", DEFAULT_CHARSET="utf-8", USE_TZ=True, INSTALLED_APPS=[])

import django
from django.core.mail import EmailMultiAlternatives

django.setup()
mail = EmailMultiAlternatives("Grüße from Django", "text 世界", f"Jürgen <{sender}>", [to])
mail.attach_alternative("<b>html 世界</b>", "text/html")
mail.attach("Prüfung.bin", bytes(range(256)), "application/octet-stream")
assert mail.send() == 1
print(mail.extra_headers["message_id"])
