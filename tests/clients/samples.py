"""Made-up secrets and vulnerable code, put together at run time so that no scanner takes this file for a leak."""

BODY_LINES = ["MIIEpAIBAAKCAQEA7c3Vh0m4nF2Qx9", "bT1kZ8rPqYwXvUeLsDdGgHhJjKkLlMm", "Nn0Oo1Pp2Qq3Rr4Ss5Tt6Uu7Vv8Ww9=="]

DATABASE_URL = "postgresql" + "://admin:" + "MyP@ssw0rd" + "@prod.db.company.com/app"
STRIPE_KEY = "sk_" + "live_" + "4eC39HqLyjWDarjtT1zdp7dc"
AWS_KEY = "AK" + "IA" + "Z7Q3M5N2K8R4T6W1"
PRIVATE_KEY = "\n".join(["-----BEGIN RSA " + "PRIVATE KEY-----", *BODY_LINES, "-----END RSA " + "PRIVATE KEY-----"])

VULNERABLE = 'cursor.execute(f"SELECT * FROM users WHERE name = ' + "'{name}'" + '")'
VULNERABLE_REPLY = "Here is the query:\n\n```python\n" + VULNERABLE + "\nrows = cursor.fetchall()\n```\nThat is all.\n"
VULNERABLE_FILE = {"file_path": "query.py", "content": "def find(cursor, name):\n    " + VULNERABLE + "\n"}
