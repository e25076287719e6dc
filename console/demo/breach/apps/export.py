#!/usr/bin/python3 -I
"""The weekly export: all records from the customer system into the bucket, in parts, by a process of its own."""

import http.client

source = http.client.HTTPConnection("crm.acme.internal", timeout=60)
source.request("GET", "/export")
answer = source.getresponse()
bucket, part = http.client.HTTPConnection("acme-weekly-export.s3.acme.internal", timeout=60), 0
while piece := answer.read(2 << 20):
    bucket.request("PUT", f"/exports/weekly/part-{part:02}", piece)
    bucket.getresponse().read()
    part += 1
