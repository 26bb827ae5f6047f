package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"giro"
)

// smartFastPayRoutes is the table of the dialect's routes. The unversioned ones
// also stand under /v1.
func smartFastPayRoutes() []*route {
	var list []*route
	add := func(r route, aliases ...string) {
		if !strings.HasPrefix(r.path, "/v2/") {
			r.aliases = append(r.aliases, "/v1"+r.path)
		}
		r.aliases = append(r.aliases, aliases...)
		if r.access == 0 {
			r.access = accessSecret
		}
		r.status, r.noKey = http.StatusOK, true
		list = append(list, &r)
	}
	post := func(path, id, tag, summary string, body, answer *schema, handler func(*call) error) {
		add(route{method: "POST", path: path, id: id, tag: tag, summary: summary, body: body, answer: answer, handler: handler,
			errors: []giro.Code{giro.CodeDuplicateReference, giro.CodeInsufficientFunds}})
	}
	// The token's route declares no body: whatever is sent is read by its handler.
	add(route{method: "POST", path: "/oauth2/token", id: "token", tag: "token", summary: "Get an access token", access: accessPublic, answer: tokenAnswer, handler: issueToken,
		about: "Authorization: Basic with client id and secret; or both as client_id and client_secret in a form or JSON body. Any Content-Type. A token works for an hour and speaks the profile of the host or mount where it was issued.", errors: []giro.Code{giro.CodeUnauthenticated, giro.CodeRateLimited}})

	reads := func(single, plural, tag, id string, as noun, answer *schema, kinds ...giro.Kind) {
		var ones, lists []string
		for _, v2 := range map[string][]string{"payouts": {"payout"}, "payments": {"payin"}}[tag] {
			ones, lists = append(ones, "/v2/"+v2+"/{id}"), append(lists, "/v2/"+v2+"s", "/v2/"+v2)
		}
		add(route{method: "GET", path: "/" + single + "/{id}", id: "retrieve" + id, tag: tag, summary: "Retrieve a " + single, answer: answer,
			errors: []giro.Code{giro.CodeNotFound}, handler: readDialect(as, single, kinds...)}, ones...)
		add(route{method: "GET", path: "/" + plural, id: "list" + id + "s", tag: tag, summary: "List " + plural + ", newest first", params: dialectParams,
			answer: &schema{kind: kindList, item: answer}, handler: listDialect(as, kinds...)}, lists...)
	}
	reads("payout", "payouts", "payouts", "Payout", asOwn, dialectPayoutAnswer, giro.KindPayout)
	reads("payment", "payments", "payments", "Payment", asOwn, dialectPaymentAnswer, giro.KindCharge)
	reads("transaction", "transactions", "transactions", "Transaction", asTransaction, dialectTransactionAnswer, giro.KindCharge, giro.KindPayout)
	add(route{method: "GET", path: "/balance", id: "balance", tag: "balances", summary: "What is available, per currency", answer: &schema{kind: kindList, item: dialectBalanceAnswer}, handler: smartFastPayBalance,
		params: []param{{name: "currency", kind: paramCurrency, about: "This one alone."}}})
	add(route{method: "GET", path: "/webhook/secret", id: "webhookSecret", tag: "webhooks", summary: "The secret that signs notifications", answer: secretAnswer, handler: webhookSecret})
	add(route{method: "GET", path: "/documents-type", id: "documentTypes", tag: "documents", summary: "The identity documents of a country", answer: &schema{kind: kindList, item: documentTypeAnswer}, handler: documentTypes,
		params: []param{{name: "country", kind: paramText, max: 3, about: "ISO 3166 in three letters. Required, but for jumppag, where it is BRA."}}, errors: []giro.Code{giro.CodeInvalidParameter}})

	post("/payout", "createPayout", "payouts", "Create a payout", flatPayoutBody, flatPayoutAnswer, createFlatPayout)
	post("/payment", "createPayment", "payments", "Create a payment by PIX or bank transfer", flatBody("FlatPayment", field{name: "payment_method", schema: oneOf("pix", "bank_transfer")}), flatPaymentAnswer, createFlatPayment(formPayment))
	post("/boleto", "createBoleto", "payments", "Create a payment by boleto", flatBody("FlatBoleto", field{name: "address", schema: addressSchema, required: true}), flatPaymentAnswer, createFlatPayment(formBoleto))
	post("/picpay", "createPicPay", "payments", "Create a payment by PicPay", flatBody("FlatPicPay"), flatPaymentAnswer, createFlatPayment(formPicPay))
	post("/credit_card", "createCreditCard", "payments", "Create a payment by card, on a hosted page", flatBody("FlatCreditCard", field{name: "max_installments", schema: lenientText(0, 3)}), flatPaymentAnswer, createFlatPayment(formCard))
	post("/transaction/checkout", "createCheckout", "payments", "Create a payment whose payer chooses the method", flatBody("FlatCheckout", field{name: "payment", schema: &schema{kind: kindObject, fields: []field{{name: "method", schema: &schema{kind: kindList, item: text(1, 40), min: 1, max: 20}}}}}), checkoutAnswer, createCheckout(false))
	post("/v2/payin", "createPayInV2", "payments", "Create a payment", nestedBody("PayIn"), payInAnswer, createPayIn)
	post("/v2/payout", "createPayoutV2", "payouts", "Create a payout", nestedBody("PayOut", payOutFields...), payOutAnswer, createNestedPayout(formPayOutV2))
	post("/v2/transaction/checkout", "createCheckoutV2", "payments", "Create a payment whose payer chooses the method", nestedBody("Checkout"), checkoutAnswer, createCheckout(true))
	post("/v2/trade/quote", "createQuote", "payouts", "Fix an exchange for five minutes", quoteBody, quoteAnswer, createQuote)
	post("/v2/trade/payout", "createTradePayout", "payouts", "Create a payout of what a quote fixed", nestedBody("TradePayout", payOutFields...), payOutAnswer, createNestedPayout(formTrade))
	return list
}

// Bodies: what a client may send. They drive the OpenAPI document and say which
// fields the search for card numbers leaves alone; reading.* judges the values.
func lenientText(min, max int) *schema {
	return &schema{kind: kindText, min: min, max: max, about: "A string; a number is read as one."}
}

var (
	lenientAmount = &schema{kind: kindAny, about: "A number or a decimal string, with at most two places.", example: "98000.00"}
	urlSchema     = &schema{kind: kindURL, min: 1, max: 250, example: "https://example.com/callback"}
	addressSchema = &schema{kind: kindObject, name: "Address", fields: []field{
		{name: "address_1", schema: text(0, 255)}, {name: "address_2", schema: text(0, 255)}, {name: "number", schema: lenientText(0, 255)},
		{name: "neighborhood", schema: text(0, 255)}, {name: "city", schema: text(0, 255)}, {name: "state", schema: text(0, 255)},
		{name: "postal_code", schema: lenientText(0, 255)}, {name: "country_code", schema: text(0, 255)},
	}}
	flatBankSchema = &schema{kind: kindObject, name: "FlatBank", fields: []field{
		{name: "name", schema: text(0, 255)}, {name: "code", schema: judged(lenientText(0, 20)), example: "341"}, {name: "agency", schema: judged(lenientText(0, 20)), example: "1243"},
		{name: "account", schema: judged(lenientText(1, 64)), required: true, example: "213846-2"}, {name: "account_operation", schema: lenientText(0, 40), example: "013"},
	}}
	payOutFields = []field{
		{name: "transfer", about: "For PIX, Transfiya and mobile money.", schema: &schema{kind: kindObject, fields: []field{{name: "value", schema: judged(lenientText(1, 77)), required: true, about: "The PIX key, or the phone."}}}},
		{name: "bank_transfer", about: "For bank transfers.", schema: &schema{kind: kindObject, name: "BankTransfer", fields: []field{
			{name: "bank_code", schema: judged(lenientText(0, 20))}, {name: "bank_branch", schema: judged(lenientText(0, 20))},
			{name: "bank_account_number", schema: judged(lenientText(1, 64)), required: true}, {name: "bank_account_type", schema: lenientText(0, 40), example: "SAVINGS"}}}},
	}
	flatPayoutBody = flatBody("FlatPayout",
		field{name: "payout_method", schema: oneOf("pix", "bank_transfer", "transfiya")},
		field{name: "pix", schema: &schema{kind: kindObject, fields: []field{{name: "key", schema: judged(lenientText(1, 77)), required: true}}}},
		field{name: "bank", schema: flatBankSchema})
	quoteBody = &schema{kind: kindObject, name: "QuoteCreate", fields: []field{
		{name: "source_currency", schema: text(3, 3), required: true, about: "That is debited.", example: "USD"},
		{name: "target_currency", schema: text(3, 3), about: "That arrives; BRL if it is not sent.", example: "BRL"},
		{name: "amount", schema: lenientAmount, required: true, about: "Of the source currency."},
	}}
)

func flatBody(name string, more ...field) *schema {
	return &schema{kind: kindObject, name: name, fields: slices.Concat([]field{
		{name: "customer_id", schema: lenientText(1, 255), required: true, about: "The caller's own id of the customer."},
		{name: "branch", schema: lenientText(0, 255)},
		{name: "name", schema: text(3, 150), required: true},
		{name: "email", schema: emailSchema, required: true},
		{name: "document", schema: judged(lenientText(1, 100)), required: name != "FlatCheckout"},
		{name: "document_type", schema: text(0, 100), example: "CPF"},
		{name: "phone", schema: judged(lenientText(0, 32)), about: "Needed for Transfiya."},
		{name: "amount", schema: lenientAmount, required: true, about: "At least 2.00."},
		{name: "currency", schema: text(0, 3), about: "In Brazil USD if it is not sent: dollars, paid as reais."},
		{name: "country", schema: text(0, 3), about: "BRA if it is not sent."},
		{name: "callback", schema: urlSchema, required: true, about: "Where the outcome is told."},
		{name: "transaction", required: true, schema: &schema{kind: kindObject, fields: []field{
			{name: "id", schema: lenientText(1, 255), required: true, about: "The caller's own id: unique for good."},
			{name: "redirect", schema: &schema{kind: kindObject, fields: []field{{name: "url", schema: urlSchema}, {name: "type", schema: oneOf("URL", "HTML")}}}}}}},
		{name: "expires_in", schema: lenientText(0, 10), about: "Seconds for which a payment can be paid."},
	}, more)}
}

func nestedBody(name string, more ...field) *schema {
	transaction := []field{{name: "id", schema: lenientText(1, 255), required: true, about: "The caller's own id: unique for good."}}
	if name == "TradePayout" {
		transaction = append(transaction, field{name: "quote_id", schema: text(1, 64), required: true})
	} else {
		transaction = append(transaction, field{name: "currency", schema: text(3, 3), required: true, example: "BRL"}, field{name: "amount", schema: lenientAmount, required: true})
	}
	fields := []field{
		{name: "customer", required: true, schema: &schema{kind: kindObject, fields: []field{
			{name: "id", schema: lenientText(1, 255), required: true}, {name: "name", schema: text(1, 150), required: true},
			{name: "email", schema: emailSchema, required: name == "PayIn" || name == "Checkout"}, {name: "phone", schema: judged(lenientText(0, 32))},
			{name: "birthdate", schema: text(0, 40), about: "mm-dd-yyyy."},
			{name: "document", required: true, schema: &schema{kind: kindObject, fields: []field{
				{name: "type", schema: text(2, 100), required: true, example: "CPF"}, {name: "number", schema: judged(lenientText(1, 100)), required: true}}}},
			{name: "address", schema: addressSchema}}}},
		{name: "country", schema: text(3, 3), required: true, example: "BRA"},
		{name: "notification_url", schema: urlSchema, required: true, about: "Where the outcome is told."},
		{name: "branch", schema: lenientText(0, 255)},
		{name: "transaction", required: true, schema: &schema{kind: kindObject, fields: transaction}},
	}
	switch name {
	case "Checkout":
		fields = append(fields, field{name: "redirect_url", schema: urlSchema}, field{name: "payment_method", schema: &schema{kind: kindList, item: text(1, 40), min: 1, max: 20}, about: "The methods to choose from; all of the country if it is not sent."})
	default:
		fields = append(fields, field{name: "payment_method", schema: text(1, 40), required: true, example: "pix"}, field{name: "redirect_url", schema: urlSchema})
	}
	return &schema{kind: kindObject, name: name, fields: append(fields, more...)}
}

// Answers, inside the envelope's data.
var (
	tokenAnswer = &schema{kind: kindObject, name: "Token", fields: []field{
		{name: "access_token", schema: plainText}, {name: "token_type", schema: oneOf("Bearer")}, {name: "expires_in", schema: plainInteger}}}
	secretAnswer         = &schema{kind: kindObject, name: "WebhookSecret", fields: []field{{name: "secret", schema: plainText}}}
	dialectBalanceAnswer = &schema{kind: kindObject, name: "CurrencyBalance", fields: []field{{name: "currency", schema: plainText}, {name: "balance", schema: &schema{kind: kindAny, about: "A number."}}}}
	documentTypeAnswer   = &schema{kind: kindObject, name: "DocumentType", fields: []field{
		{name: "id", schema: plainText}, {name: "abbreviation", schema: plainText}, {name: "name", schema: plainText}, {name: "country", schema: plainText}, {name: "regex_validation", schema: null(plainText)}}}
	movementFields = []field{
		{name: "id", schema: plainText, about: "A UUID: the same in v1, in notifications and as transaction."}, {name: "customer_id", schema: plainText}, {name: "transaction_id", schema: plainText},
		{name: "amount", schema: plainText, example: "98000.00"}, {name: "currency", schema: plainText}}
	timeFields          = []field{{name: "created_at", schema: plainText, example: "2021-11-11T19:08:20.000000Z"}, {name: "updated_at", schema: plainText}}
	dialectPayoutAnswer = &schema{kind: kindObject, name: "PayoutRead", fields: slices.Concat(movementFields, []field{
		{name: "status", schema: oneOf("pending", "onhold", "success", "failed", "returned", "refunded")}}, timeFields)}
	dialectPaymentAnswer = &schema{kind: kindObject, name: "PaymentRead", fields: slices.Concat(movementFields, []field{
		{name: "status", schema: oneOf("pending", "paid", "denied", "expired")}, {name: "method", schema: plainText}}, timeFields)}
	dialectTransactionAnswer = &schema{kind: kindObject, name: "TransactionRead", fields: slices.Concat(movementFields, []field{
		{name: "status", schema: oneOf("open", "pending", "paid", "canceled")}, {name: "method", schema: plainText}, {name: "type", schema: oneOf("payment", "payout")},
		{name: "payment_status", schema: plainText, optional: true}, {name: "payout_status", schema: plainText, optional: true}}, timeFields)}
	flatValuesAnswer = &schema{kind: kindObject, name: "FlatValues", fields: []field{{name: "total", schema: plainText}, {name: "subtotal", schema: plainText}, {name: "exchange", schema: plainText},
		{name: "fee", schema: plainInteger, optional: true}, {name: "tax", schema: plainInteger, optional: true}}}
	nestedValuesAnswer = &schema{kind: kindObject, name: "NestedValues", fields: []field{{name: "source_total", schema: plainText, example: "12.61000000"}, {name: "source_currency", schema: plainText},
		{name: "exchanged_total", schema: plainText}, {name: "exchanged_currency", schema: plainText}, {name: "exchange", schema: plainText}, {name: "fee", schema: plainText}}}
	flatPayoutAnswer  = &schema{kind: kindObject, name: "FlatPayoutCreated", fields: []field{{name: "id", schema: plainText}, {name: "status", schema: plainText}, {name: "values", schema: flatValuesAnswer}}}
	flatPaymentAnswer = &schema{kind: kindObject, name: "FlatPaymentCreated", fields: []field{{name: "id", schema: plainText}, {name: "status", schema: plainText}, {name: "expires_in", schema: plainInteger, about: "Unix seconds."},
		{name: "payment", schema: &schema{kind: kindObject, fields: []field{{name: "method", schema: plainText}}}}, {name: "values", schema: flatValuesAnswer},
		{name: "pix", optional: true, schema: &schema{kind: kindObject, fields: []field{{name: "qrcode", schema: plainText, about: "The BR Code to copy."}, {name: "reference", schema: plainText}, {name: "beneficiary", schema: plainText}, {name: "qrcode_image", schema: plainText, about: "The same as an SVG image."}}}},
		{name: "boleto", optional: true, schema: &schema{kind: kindObject, fields: []field{{name: "url", schema: plainText}, {name: "code", schema: plainText, about: "47 digits to type."}, {name: "bar_code", schema: plainText, about: "44 digits."}, {name: "expired_at", schema: plainText, about: "Unix seconds."}}}},
		{name: "bank", optional: true, schema: collectingSchema},
		{name: "picpay", optional: true, schema: linkSchema}, {name: "credit_card", optional: true, schema: linkSchema}}}
	linkSchema       = &schema{kind: kindObject, name: "Link", fields: []field{{name: "url", schema: plainText}}}
	collectingSchema = &schema{kind: kindObject, name: "CollectingAccount", fields: []field{{name: "name", schema: plainText}, {name: "code", schema: plainText}, {name: "agency", schema: plainText},
		{name: "account", schema: plainText}, {name: "account_operation", schema: plainText}, {name: "document", schema: plainText}, {name: "beneficiary", schema: plainText}}}
	payInAnswer = &schema{kind: kindObject, name: "PayInCreated", fields: []field{{name: "id", schema: plainText}, {name: "status", schema: plainText}, {name: "expires_in", schema: plainInteger, about: "Unix seconds."},
		{name: "payment", schema: &schema{kind: kindAny, about: "method, and what the payer needs: qr_code; or url, bar_code and digitable_line; or the account to pay to; or url."}}, {name: "values", schema: nestedValuesAnswer}}}
	payOutAnswer = &schema{kind: kindObject, name: "PayOutCreated", fields: []field{{name: "id", schema: plainText}, {name: "status", schema: plainText},
		{name: "payment", schema: &schema{kind: kindObject, fields: []field{{name: "method", schema: plainText}}}}, {name: "values", schema: nestedValuesAnswer}}}
	checkoutAnswer = &schema{kind: kindObject, name: "CheckoutCreated", fields: []field{{name: "html", schema: plainText, optional: true}, {name: "url", schema: plainText}, {name: "id", schema: plainText},
		{name: "transaction_id", schema: plainText}, {name: "expires_in", schema: plainInteger, about: "Unix seconds."}}}
	quoteAnswer = &schema{kind: kindObject, name: "Quote", fields: []field{{name: "id", schema: plainText}, {name: "quote_id", schema: plainText}, {name: "source_total", schema: plainText}, {name: "source_currency", schema: plainText},
		{name: "exchanged_total", schema: plainText}, {name: "exchanged_currency", schema: plainText}, {name: "exchange", schema: plainText}, {name: "expires_in", schema: plainInteger, about: "Unix seconds."},
		{name: "created_at", schema: plainText}, {name: "expires_at", schema: plainText}}}
)

// dialectErrorSchema describes the dialect's errors.
var dialectErrorSchema = &schema{kind: kindObject, name: "Error", about: "A refusal; it has no member data.", fields: []field{
	{name: "requestId", schema: plainText, about: "The Request-Id of the answer."},
	{name: "moreInformation", schema: &schema{kind: kindList, item: &schema{kind: kindObject, fields: []field{
		{name: "code", schema: oneOf("INVALID_REQUEST", "UNAUTHORIZED", "FORBIDDEN", "NOT_FOUND", "CONFLICT", "TOO_MANY_REQUESTS", "INTERNAL_ERROR")},
		{name: "message", schema: plainText}, {name: "field", schema: plainText, optional: true}}}}},
}}

// smartFastPayOpenAPI writes the dialect's own OpenAPI document.
func smartFastPayOpenAPI(table []*route) []byte {
	d := &document3{seen: map[string]*schema{}, open: true}
	refusal := d.of(dialectErrorSchema, false)
	var paths pairs
	for _, r := range table {
		var op pairs
		op.add("operationId", r.id)
		op.add("tags", []string{r.tag})
		op.add("summary", r.summary)
		op.addIf("description", r.about)
		if params := d.parameters(r); len(params) > 0 {
			op.add("parameters", params)
		}
		if r.body != nil {
			op.add("requestBody", pairs{{"required", true}, {"content", pairs{{"application/json", pairs{{"schema", d.of(r.body, true)}}}}}})
		}
		envelope := pairs{{"type", "object"}, {"properties", pairs{{"requestId", pairs{{"type", "string"}}}, {"data", d.of(r.answer, false)}}}, {"required", []string{"requestId", "data"}}}
		responses := pairs{{"200", pairs{{"description", "Success."}, {"content", pairs{{"application/json", pairs{{"schema", envelope}}}}}}}}
		told := map[string]bool{}
		codes := slices.Concat(r.errors, []giro.Code{giro.CodeRateLimited, giro.CodeInternal})
		if r.access != accessPublic {
			codes = append(codes, giro.CodeUnauthenticated, giro.CodeForbidden)
		}
		if r.body != nil || len(r.params) > 0 {
			codes = append(codes, giro.CodeInvalidValue)
		}
		slices.SortFunc(codes, func(a, b giro.Code) int {
			_, x := smartFastPayStatus(&giro.Error{Code: a})
			_, y := smartFastPayStatus(&giro.Error{Code: b})
			return x - y
		})
		for _, code := range codes {
			name, status := smartFastPayStatus(&giro.Error{Code: code})
			if !told[name] {
				told[name] = true
				responses.add(itoa(int64(status)), pairs{{"description", name}, {"content", pairs{{"application/json", pairs{{"schema", refusal}}}}}})
			}
		}
		op.add("responses", responses)
		if r.access == accessPublic {
			op.add("security", []any{pairs{{"client", []any{}}}})
		} else {
			op.add("security", []any{pairs{{"token", []any{}}}})
		}
		for _, path := range append([]string{r.path}, r.aliases...) {
			at := slices.IndexFunc(paths, func(p pair) bool { return p.name == path })
			if at < 0 {
				paths.add(path, &pairs{})
				at = len(paths) - 1
			}
			one := slices.Clone(op)
			if path != r.path {
				one[0].value = r.id + operationSuffix(path)
			}
			paths[at].value.(*pairs).add(strings.ToLower(r.method), one)
		}
	}
	b, err := json.Marshal(pairs{
		{"openapi", "3.1.0"},
		{"info", pairs{{"title", "giro, the SmartFastPay and JumpPag dialect"}, {"version", "1"},
			{"description", "The same movements as v1, in the bodies and answers that clients of SmartFastPay and JumpPag use."},
			{"license", pairs{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
		{"servers", []any{pairs{{"url", "/smartfastpay"}}, pairs{{"url", "/jumppag"}}, pairs{{"url", "/"}}}},
		{"paths", paths},
		{"components", pairs{{"schemas", d.schemas},
			{"securitySchemes", pairs{
				{"client", pairs{{"type", "http"}, {"scheme", "basic"}, {"description", "Client id and secret."}}},
				{"token", pairs{{"type", "http"}, {"scheme", "bearer"}, {"description", "An access token, or an API key."}}}}}}},
	})
	if err != nil { // the tables hold strings, numbers and examples
		panic(err)
	}
	return b
}

// operationSuffix keeps the ids of operations apart that answer on two paths.
func operationSuffix(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/"):
		return "V1"
	case strings.HasSuffix(path, "s"):
		return "PluralV2"
	}
	return "V2"
}

var dialectDocRoute = &route{method: http.MethodGet, path: "/openapi/smartfastpay.json", id: "openapiSmartFastPay", tag: "docs", access: accessPublic, status: 200, media: "application/json",
	summary: "The OpenAPI document of the SmartFastPay and JumpPag dialect", handler: func(c *call) error {
		c.sendJSON(http.StatusOK, c.s.dialect.openAPI)
		return nil
	}}
