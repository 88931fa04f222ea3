"""Made-up secrets and vulnerable code, put together at run time so that no scanner takes this file for a leak."""

import base64
import hashlib


def key_body(lines: int) -> list[str]:
    """Lines that look like the inside of a PEM file and are the same on every run."""
    drawn = b"".join(hashlib.sha256(b"made up %d" % number).digest() for number in range(2 * lines))
    written = "MIIEpAIBAAKCAQEA" + base64.b64encode(drawn).decode()
    return [written[64 * number : 64 * (number + 1)] for number in range(lines)]


DATABASE_URL = "postgresql" + "://admin:" + "MyP@ssw0rd" + "@prod.db.company.com/app"
STRIPE_KEY = "sk_" + "live_" + "9vT2kQ8xLw3Zr7Nb5Yc1Hd6J"
AWS_KEY = "AK" + "IA" + "Z7Q3M5N2KXR4T6WQ"
PRIVATE_KEY = "\n".join(["-----BEGIN RSA " + "PRIVATE KEY-----", *key_body(12), "-----END RSA " + "PRIVATE KEY-----"])

VULNERABLE = 'cursor.execute(f"SELECT * FROM users WHERE name = ' + "'{name}'" + '")'
VULNERABLE_REPLY = "Here is the query:\n\n```python\n" + VULNERABLE + "\nrows = cursor.fetchall()\n```\nThat is all.\n"
VULNERABLE_FILE = {"file_path": "query.py", "content": "def find(cursor, name):\n    " + VULNERABLE + "\n"}
