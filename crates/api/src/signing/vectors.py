"""Signs requests as each published client of credit-v1 does, and prints them as vectors for the tests beside it.

Written from the description in signing.rs with Python's own hmac and urllib; shares no code with the service.

    python3 vectors.py > vectors.json
"""

import hashlib
import hmac
import json
from urllib.parse import quote, urlencode

AK, SK = "0123456789abcdef0123456789abcdef", "a made-up secret, for tests alone"
TIME, EXPIRE = "2026-11-23T12:00:00Z", 1800


def encode(text, safe=""):
    return quote(text, safe="-._~" + safe)


def hmac_hex(key, text):
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def authorization(method, path, query, headers, signed_headers, expire=EXPIRE):
    """`query` is a list of pairs, `headers` a dictionary of what is signed."""
    prefix = f"credit-v1/{AK}/{TIME}/{expire}"
    canonical = "\n".join([
        method,
        encode(path, "/"),
        "&".join(sorted(f"{encode(k)}={encode(v)}" for k, v in query)),
        "\n".join(sorted(f"{name.lower()}:{encode(value.strip())}" for name, value in headers.items())),
    ])
    return f"{prefix}/{signed_headers}/{hmac_hex(hmac_hex(SK, prefix), canonical)}"


def vector(name, method, target, sent, body, authorized):
    return {"name": name, "method": method, "target": target, "headers": {**sent, "authorization": authorized}, "body": body}


FORM = "application/x-www-form-urlencoded"
BODY = urlencode({"id": "330825197801104539"})


def python(host, method="POST", target="/idcard", path="/idcard", query=(), body=BODY):
    signed = {"host": host.split(":")[0], "credit-date": TIME}
    sent = {"host": host, "credit-date": TIME, "content-type": FORM}
    return vector(f"Python, {host} {target}", method, target, sent, body,
                  authorization(method, path, query, signed, "host;credit-date"))


def php(url_host, sent_host):
    signed = {"host": url_host, "credit-date": TIME}
    sent = {"host": sent_host, "credit-date": TIME, "content-type": FORM}
    return vector(f"PHP, {url_host}", "POST", "/v1/ocr_cn", sent, BODY,
                  authorization("POST", "/v1/ocr_cn", (), signed, "host;credit-date"))


def digested(name, content_type, signed_type):
    sent = {
        "host": "127.0.0.1:8080",
        "content-type": content_type,
        "content-length": str(len(BODY)),
        "content-md5": hashlib.md5(BODY.encode()).hexdigest(),
    }
    signed = {**{key: sent[key] for key in ("content-length", "content-md5")}, "content-type": signed_type}
    return vector(name, "POST", "/idcard", sent, BODY, authorization("POST", "/idcard", (), signed, ""))


VECTORS = [
    python("127.0.0.1:8080"),
    python("api.example.com"),
    python("api.example.com:8443", target="/v1/ocr_cn?detail=1", path="/v1/ocr_cn", query=[("detail", "1")]),
    python("api.example.com", "GET", "/v1/batches/kyc%202026%E5%8C%97?b=2&a=%2F1&a-b=&c~=%2a", "/v1/batches/kyc 2026北",
           [("a", "/1"), ("b", "2"), ("a-b", ""), ("c~", "*")], ""),
    php("127.0.0.1:8080", "127.0.0.1:8080"),
    php("api.example.com:443", "api.example.com"),
    digested("Java", FORM, FORM),
    digested("Java with a charset", FORM + "; charset=UTF-8", FORM + "; charset=UTF-8"),
    digested("Go", FORM, ""),
]

print(json.dumps({"ak": AK, "sk": SK, "time": TIME, "vectors": VECTORS}, ensure_ascii=False, indent=1))
