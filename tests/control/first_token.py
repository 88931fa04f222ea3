"""Makes the first owner of a policy server and prints a token that may do everything: URL, OPENAPI; setup token on stdin."""

import http.cookiejar
import json
import sys
import urllib.request

url, document = sys.argv[1], json.load(open(sys.argv[2], encoding="utf-8"))
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))


def post(path, body, headers=()):
    headers = {"content-type": "application/json", **dict(headers)}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    return browser.open(request).read()


password = "correct horse battery"
post("/api/v1/setup", {"token": sys.stdin.read().strip(), "name": "olga", "password": password})
me = json.loads(browser.open(url + "/api/v1/me").read())
scopes = [it["permission"] for it in me["permissions"]]
made = post("/api/v1/tokens", {"name": "all", "scopes": scopes, "days": 1}, {"x-csrf-token": me["csrf"]})
print(json.loads(made)["token"])
