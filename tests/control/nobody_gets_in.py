"""Calls every operation of the document without a credential and with a wrong one: URL, OPENAPI."""

import json
import re
import sys
import urllib.error
import urllib.request

url, document = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
asked = 0
for path, operations in document["paths"].items():
    for method, operation in operations.items():
        if operation.get("security") == []:
            continue
        for credential in ({}, {"authorization": "Bearer made-up"}, {"authorization": "Basic bWFkZTp1cA=="}):
            place = url + re.sub(r"\{[^}]*\}", "made-up", path)
            body = None if method == "get" else b"{}"
            request = urllib.request.Request(place, body, {"content-type": "application/json", **credential})
            request.method = method.upper()
            try:
                status = urllib.request.urlopen(request).status
            except urllib.error.HTTPError as error:
                status = error.code
            asked += 1
            if status != 401:
                sys.exit(f"{method} {path} answers {status} to nobody ({credential})")
print(f"nobody gets in: {asked} requests, each 401")
