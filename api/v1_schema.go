package api

import "giro"

// The parts of v1's bodies that several routes share.
var (
	descriptionField = field{name: "description", schema: text(0, 500), about: "A text of the caller's own."}
	referenceField   = field{name: "reference", schema: &schema{kind: kindText, min: 1, max: 255, length: giro.CodeInvalidLength, example: "order-8812"}, about: "The caller's own id, unique per merchant, mode and kind for good: the same reference with the same data answers the object that it made."}
	metadataField    = field{name: "metadata", schema: metadataSchema, about: "Up to 50 keys and values of the caller's own."}
	customerIDField  = field{name: "customer", schema: idOf("cus"), about: "A saved customer."}
	sourceField      = field{name: "source", schema: idOf("src"), about: "A saved source, instead of card, mobile or bank."}
	accountField     = field{name: "account", schema: idOf("acct"), about: "A sub-account; the merchant's main account if it is not sent."}
)

var providerSchema = &schema{kind: kindEnum, enum: []string{"card", "mobile", "bank"}, refuse: giro.CodeProviderUnknown, example: "card"}

var cardSchema = &schema{kind: kindObject, name: "CardInput", fields: []field{
	{name: "token", schema: text(1, 255), required: true, about: "A token of the card provider; never a card number.", example: "card_token"},
}}

var mobileSchema = &schema{kind: kindObject, name: "MobileInput", fields: []field{
	{name: "phone", schema: judged(text(1, 32)), required: true, about: "E.164: + and digits.", example: "+5511987654321"},
}}

// judged marks a schema whose own rule alone decides about its value.
func judged(s *schema) *schema {
	s.judged = true
	return s
}

var documentSchema = &schema{kind: kindObject, name: "DocumentInput", about: "An identity document; its check digits are checked.", fields: []field{
	{name: "type", schema: text(1, 20), required: true, about: "CPF, CNPJ, RUT, NIT, CURP, …", example: "CPF"},
	{name: "number", schema: judged(text(1, 40)), required: true},
	{name: "country", schema: countrySchema, about: "ISO 3166; needed where a type exists in several countries."},
}}

var bankSchema = &schema{kind: kindObject, name: "BankInput", about: "A bank destination or a way to collect. Which members are needed depends on method.", fields: []field{
	{name: "method", schema: &schema{kind: kindText, min: 1, max: 40, example: "pix"}, required: true, about: "pix, boleto, spei, sepa, ach, transfer, …"},
	{name: "key", schema: judged(text(1, 140)), about: "PIX key."},
	{name: "account", schema: judged(text(1, 40)), about: "spei: CLABE or phone."},
	{name: "iban", schema: judged(text(1, 50)), about: "sepa."},
	{name: "bic", schema: judged(text(8, 11)), about: "sepa, optional."},
	{name: "routing_number", schema: judged(text(1, 20)), about: "ach."},
	{name: "country", schema: countrySchema, about: "transfer: decides what is checked."},
	{name: "bank_code", schema: judged(text(1, 20))},
	{name: "branch", schema: judged(text(1, 20))},
	{name: "account_number", schema: judged(text(1, 50))},
	{name: "account_type", schema: text(1, 30)},
}}

var partySchema = &schema{kind: kindObject, name: "PartyInput", fields: []field{
	{name: "name", schema: text(1, 255), required: true},
	{name: "email", schema: emailSchema},
	{name: "phone", schema: judged(text(1, 32)), about: "E.164."},
	{name: "document", schema: documentSchema},
}}

var chargeCustomerSchema = &schema{kind: kindEither, options: []*schema{idOf("cus"), partySchema}}

// movementReadOnly are what answers have and no request sets.
var movementReadOnly = []string{"id", "object", "status", "amount_captured", "amount_refunded", "fee", "merchant_id", "merchant", "created", "created_at",
	"updated_at", "livemode", "in_doubt", "failure_code", "failure_message", "version", "rail", "end_to_end_id", "retry_of", "two_phase", "next_action"}

var chargeCreateSchema = &schema{kind: kindObject, name: "ChargeCreate", readOnly: movementReadOnly, fields: []field{
	{name: "amount", schema: amountSchema, required: true, about: "What to authorise, in the currency's minor unit."},
	{name: "currency", schema: currencySchema, required: true},
	{name: "provider", schema: providerSchema, about: "How the payer pays; needed unless source is sent."},
	{name: "card", schema: cardSchema},
	{name: "mobile", schema: mobileSchema},
	{name: "bank", schema: bankSchema},
	{name: "customer", schema: chargeCustomerSchema, about: "A saved customer's id, or a customer to make."},
	sourceField, accountField,
	{name: "capture", schema: flagSchema, about: "false authorises only; true if it is not sent."},
	descriptionField, referenceField, metadataField,
	{name: "statement_descriptor", schema: text(1, 22)},
	{name: "receipt_email", schema: emailSchema},
}}

var refundCreateSchema = &schema{kind: kindObject, name: "RefundCreate", readOnly: movementReadOnly, fields: []field{
	{name: "charge", schema: &schema{kind: kindText, min: 1, max: 64, refuse: giro.CodeChargeUnknown, example: "ch_01h455vb4pex5vsknk084sn02q"}, required: true},
	{name: "amount", schema: amountSchema, about: "All that is left if it is not sent."},
	{name: "currency", schema: currencySchema, about: "The charge's; another is refused."},
	{name: "reason", schema: text(0, 255)},
	descriptionField, referenceField, metadataField,
}}

var payoutCreateSchema = &schema{kind: kindObject, name: "PayoutCreate", readOnly: movementReadOnly, fields: []field{
	{name: "amount", schema: amountSchema, required: true, about: "What to send, in the currency's minor unit."},
	{name: "currency", schema: currencySchema, required: true},
	{name: "provider", schema: providerSchema, about: "How it is sent; needed unless source is sent."},
	{name: "card", schema: cardSchema},
	{name: "mobile", schema: mobileSchema},
	{name: "bank", schema: bankSchema},
	customerIDField, sourceField, accountField,
	{name: "recipient", schema: partySchema},
	descriptionField, referenceField, metadataField,
}}

var transferCreateSchema = &schema{kind: kindObject, name: "TransferCreate", readOnly: movementReadOnly, fields: []field{
	{name: "amount", schema: amountSchema, required: true, about: "What to move, in the currency's minor unit."},
	{name: "currency", schema: currencySchema, required: true},
	{name: "from_account", schema: &schema{kind: kindText, min: 1, max: 64, refuse: giro.CodeAccountUnknown}, about: "The merchant's main account if it is not sent."},
	{name: "destination", schema: &schema{kind: kindText, min: 1, max: 64, refuse: giro.CodeAccountUnknown}, required: true},
	{name: "pending", schema: flagSchema, about: "true reserves until it is posted or voided."},
	{name: "expires_at", schema: timeSchema, about: "When a pending transfer is voided; after 7 days if it is not sent."},
	descriptionField, referenceField, metadataField,
}}

var statusField = field{name: "status", schema: &schema{kind: kindEnum, refuse: giro.CodeInvalidStatus, enum: statusNames()}, notNull: true,
	about: "succeeded captures or confirms, canceled withdraws, pending is accepted where it is true."}

func statusNames() []string {
	names := make([]string, len(giro.Statuses))
	for i, s := range giro.Statuses {
		names[i] = string(s)
	}
	return names
}

var movementUpdateSchema = &schema{kind: kindObject, name: "MovementUpdate",
	readOnly: []string{"id", "object", "amount_captured", "amount_refunded", "fee", "merchant_id", "merchant", "created", "created_at", "updated_at", "livemode", "in_doubt", "failure_code", "failure_message", "version", "rail", "end_to_end_id", "currency", "reference", "provider", "customer"},
	fields: []field{
		{name: "amount", schema: amountSchema},
		statusField, descriptionField, metadataField,
	}}

// Answers.

func null(s *schema) *schema {
	n := *s
	n.nullable = true
	return &n
}

var (
	plainText    = &schema{kind: kindText}
	plainInteger = &schema{kind: kindInteger}
	answerTime   = &schema{kind: kindText, example: "2023-10-11T00:00:00"}
)

var nextActionSchema = &schema{kind: kindObject, name: "NextAction", about: "What the payer has to do.", nullable: true, fields: []field{
	{name: "type", schema: plainText},
	{name: "br_code", schema: plainText, optional: true},
	{name: "qr_svg", schema: plainText, optional: true},
	{name: "bar_code", schema: plainText, optional: true},
	{name: "digitable_line", schema: plainText, optional: true},
	{name: "expires_at", schema: plainInteger, optional: true},
}}

var partyAnswer = &schema{kind: kindObject, name: "Party", nullable: true, fields: []field{
	{name: "name", schema: plainText, optional: true},
	{name: "email", schema: plainText, optional: true},
	{name: "phone", schema: plainText, optional: true},
	{name: "document", schema: &schema{kind: kindObject, name: "Document", fields: []field{
		{name: "type", schema: plainText}, {name: "number", schema: plainText}, {name: "country", schema: plainText, optional: true}}}, optional: true},
}}

var bankAnswer = &schema{kind: kindObject, name: "Bank", fields: func() []field {
	var fields []field
	for _, name := range []string{"method", "key", "key_type", "account", "iban", "bic", "routing_number", "country", "bank_code", "branch", "account_number", "account_type", "warning"} {
		fields = append(fields, field{name: name, schema: plainText, optional: name != "method"})
	}
	return fields
}()}

// movementAnswer describes a kind as giro.Movement.AppendJSON writes it; a test
// compares them.
func movementAnswer(name string, k giro.Kind, own ...field) *schema {
	fields := []field{
		{name: "id", schema: idOf(k.Prefix())},
		{name: "object", schema: oneOf(string(k))},
		{name: "amount", schema: amountSchema},
		{name: "amount_captured", schema: amountSchema},
		{name: "amount_refunded", schema: amountSchema},
		{name: "fee", schema: amountSchema},
		{name: "currency", schema: currencySchema},
		{name: "created", schema: plainInteger, about: "Unix seconds."},
		{name: "status", schema: oneOf(statusNames()...)},
		{name: "failure_code", schema: null(plainText)},
		{name: "failure_message", schema: null(plainText)},
		{name: "in_doubt", schema: flagSchema, about: "The rail's answer is not known."},
		{name: "livemode", schema: flagSchema},
		{name: "created_at", schema: answerTime, about: "UTC."},
		{name: "updated_at", schema: answerTime, about: "UTC."},
		{name: "description", schema: null(plainText)},
		{name: "reference", schema: null(plainText)},
		{name: "customer", schema: null(idOf("cus"))},
		{name: "metadata", schema: metadataSchema},
		{name: "provider", schema: null(plainText)},
		{name: "version", schema: plainInteger},
		{name: "rail", schema: null(plainText)},
	}
	if k != giro.KindTransfer {
		fields = append(fields, field{name: "end_to_end_id", optional: true, schema: plainText,
			about: "By which every bank on the way knows it, where its rail tells: of PIX the EndToEndId (of what is given back, the return's), of SPEI the clave de rastreo. Known from the beginning, of a PIX charge once it is paid."})
	}
	return &schema{kind: kindObject, name: name, fields: append(fields, own...)}
}

var paidFields = []field{
	{name: "source", schema: null(idOf("src"))},
	{name: "card", optional: true, schema: &schema{kind: kindObject, name: "Card", fields: []field{{name: "brand", schema: null(plainText)}, {name: "last4", schema: null(plainText)}}}},
	{name: "mobile", optional: true, schema: &schema{kind: kindObject, name: "Mobile", fields: []field{{name: "phone", schema: plainText}}}},
	{name: "bank", optional: true, schema: bankAnswer},
	{name: "expires_at", optional: true, schema: plainInteger},
}

var movementAnswers = map[giro.Kind]*schema{
	giro.KindCharge: movementAnswer("Charge", giro.KindCharge, append([]field{
		{name: "capture", schema: flagSchema},
		{name: "account", schema: null(idOf("acct"))},
		{name: "statement_descriptor", schema: null(plainText)},
		{name: "receipt_email", schema: null(plainText)},
		{name: "next_action", schema: nextActionSchema}}, paidFields...)...),
	giro.KindRefund: movementAnswer("Refund", giro.KindRefund,
		field{name: "charge", schema: null(idOf("ch"))},
		field{name: "reason", schema: null(plainText)},
		field{name: "expires_at", optional: true, schema: plainInteger}),
	giro.KindPayout: movementAnswer("Payout", giro.KindPayout, append([]field{
		{name: "account", schema: null(idOf("acct"))},
		{name: "recipient", schema: partyAnswer},
		{name: "retry_of", schema: null(idOf("po"))}}, paidFields...)...),
	giro.KindTransfer: movementAnswer("Transfer", giro.KindTransfer,
		field{name: "from_account", schema: null(idOf("acct"))},
		field{name: "destination", schema: null(idOf("acct"))},
		field{name: "two_phase", schema: flagSchema},
		field{name: "expires_at", optional: true, schema: plainInteger}),
}

var movementCreates = map[giro.Kind]*schema{
	giro.KindCharge: chargeCreateSchema, giro.KindRefund: refundCreateSchema,
	giro.KindPayout: payoutCreateSchema, giro.KindTransfer: transferCreateSchema,
}

var emptySchema = &schema{kind: kindObject, name: "Nothing", about: "No members."}

var messageAnswer = &schema{kind: kindObject, name: "Message", fields: []field{{name: "message", schema: plainText, example: "Charge deleted successfully"}}}
