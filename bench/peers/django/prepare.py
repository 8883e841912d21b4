import sys

import django
import peer
from django.core.management import call_command

AT_ONCE = 2_000

django.setup()
from rest_framework_api_key.models import APIKey  # noqa: E402  (needs the setup)

count = int(sys.argv[2])
call_command("migrate", verbosity=0)
keys = [APIKey(name=f"key {n}") for n in range(count)]
headers = ["Api-Key " + APIKey.objects.assign_key(key) for key in keys]
APIKey.objects.bulk_create(keys, AT_ONCE)
peer.write_headers(sys.argv[1], headers)
