"""A client of the SmartFastPay and JumpPag API, from its public pages: standard
library only. Usage: smartfastpay_client.py BASE CLIENT_ID CLIENT_SECRET CALLBACK CPF

It asks for a token before every call, posts blindly again on 502, 503 and 504,
and reads answers as clients in use do. The last line of its output is a JSON
object of what it saw.
"""
import base64, json, re, sys, time, urllib.error, urllib.request

base, client_id, client_secret, callback, cpf = sys.argv[1:6]


def http(method, path, headers, body=None):
    for attempt in range(4):
        request = urllib.request.Request(base + path, data=body, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            if e.code in (502, 503, 504) and attempt < 3:
                time.sleep(0.05)
                continue
            return e.code, e.read()


def token():
    basic = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    status, answer = http("POST", "/oauth2/token", {
        "Authorization": "Basic " + basic, "Content-Type": "application/x-www-form-urlencoded", "Content-Length": "0"}, b"")
    assert status == 200, answer
    data = json.loads(answer)["data"]
    assert data["token_type"] == "Bearer" and data["expires_in"] == 3600
    return data["access_token"]


def call(method, path, body=None):
    headers = {"Authorization": "Bearer " + token(), "Content-Type": "application/json", "Accept": "application/json"}
    if method == "GET":
        headers["Content-Length"] = "0"
    status, answer = http(method, path, headers, None if body is None else json.dumps(body).encode())
    answer = json.loads(answer)
    assert answer["requestId"]
    if status != 200:
        # An error is known by these two, and by there being no data at all.
        assert answer["moreInformation"][0]["code"] and "data" not in answer, answer
        return status, answer
    return status, answer["data"]


def ok(method, path, body=None):
    status, data = call(method, path, body)
    assert status == 200, (path, data)
    return data


def strings(data, *names):
    for name in names:
        assert isinstance(data[name], str), (name, data)


saw = {}
ok("GET", "/documents-type?country=BRA")
saw["secret"] = ok("GET", "/webhook/secret")["secret"]

payout = {
    "customer_id": "cliente-ã/1", "name": "João da Silva", "email": "joao@example.com", "document": cpf, "document_type": "CPF",
    "country": "BRA", "currency": "BRL", "payout_method": "pix", "pix": {"key": cpf}, "amount": 980, "callback": callback,
    "transaction": {"id": "saque/ã&<1>\u2028x"},
}
made = ok("POST", "/payout", payout)
assert made["status"] == "pending" and made["values"]["fee"] == 0, made
again = ok("POST", "/payout", payout)
assert again["id"] == made["id"], "posted again, paid twice"
saw["payout"] = made["id"]

status, refused = call("POST", "/payout", {**payout, "amount": 981})
assert status == 409 and refused["moreInformation"][0]["code"] == "CONFLICT", refused
status, refused = call("POST", "/payout", {**payout, "document": "12345678900", "transaction": {"id": "errado"}})
assert status == 400 and refused["moreInformation"][0]["code"] == "INVALID_REQUEST" and refused["moreInformation"][0]["field"] == "document", refused

read = ok("GET", "/payout/" + made["id"])
strings(read, "id", "customer_id", "transaction_id", "amount", "currency", "status", "created_at", "updated_at")
assert read["customer_id"] == "cliente-ã/1" and read["transaction_id"] == "saque/ã&<1>\u2028x"
assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", read["created_at"]), read
saw["amount"] = read["amount"]

listed = ok("GET", "/payouts?limit=10&page=1&order=id,desc")
assert [p["id"] for p in listed] == [made["id"]], listed

balance = ok("GET", "/balance?currency=BRL")
assert len(balance) == 1 and isinstance(balance[0]["balance"], (int, float)), balance
saw["balance"] = balance[0]["balance"]

payment = ok("POST", "/payment", {
    "customer_id": "cliente-ã/1", "name": "João da Silva", "email": "joao@example.com", "document": cpf, "country": "BRA", "currency": "BRL",
    "payment_method": "pix", "amount": "213.21", "callback": callback, "transaction": {"id": "cobrança-1"},
})
strings(payment["pix"], "qrcode", "reference", "beneficiary")
saw["payment"], saw["qrcode"] = payment["id"], payment["pix"]["qrcode"]
assert ok("GET", "/payment/" + payment["id"])["status"] == "pending"

# The payout is carried out a moment later.
for _ in range(300):
    saw["status"] = ok("GET", "/payout/" + made["id"])["status"]
    if saw["status"] != "pending":
        break
    time.sleep(0.1)
transaction = ok("GET", "/transaction/" + made["id"])
assert transaction["type"] == "payout" and transaction["payout_status"] == saw["status"], transaction
saw["transaction"] = transaction["status"]

print(json.dumps(saw))
