package rail

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"giro"
	"giro/bank"
	"giro/money"
)

// The sandbox speaks as the rails do that it stands for: PIX as the central
// bank's API has it, SPEI as STP's, cards in the words of ISO 8583, mobile money
// as the GSMA's API, and any other bank by ISO 20022. Nothing of it is stored: a
// request follows from the instruction, an answer from the outcome.

const (
	sandboxISPB = "99999999" // no bank has it
	payerISPB   = "99999998" // of those who pay PIX charges
)

// scheme is the network that would carry an instruction.
type scheme string

const (
	schemeCard   scheme = "card"
	schemePIX    scheme = "pix"
	schemeSPEI   scheme = "spei"
	schemeMobile scheme = "mobile"
	schemeISO    scheme = "iso20022"
)

func schemeOf(in giro.Instruction) scheme {
	m := in.Movement
	if in.Op == giro.OpRefund && in.Charge != nil {
		m = in.Charge
	}
	switch {
	case m.Detail.Card != nil:
		return schemeCard
	case m.Detail.Mobile != nil:
		return schemeMobile
	case m.Detail.Method == "pix":
		return schemePIX
	case m.Detail.Method == "spei":
		return schemeSPEI
	}
	return schemeISO
}

// EndToEnd implements giro.Witness. It is the same for every attempt of an
// instruction, and holds the time at which the payment was ordered; of a charge,
// whose payer orders it, the time at which it was paid.
func (s *Sandbox) EndToEnd(in giro.Instruction) string {
	ordered := giro.TimeOf(in.Movement.Created)
	switch schemeOf(in) {
	case schemePIX:
		// The standard: E, or D for what is given back, the ISPB, the minute in UTC, and
		// eleven letters and digits.
		kind, ispb := "E", sandboxISPB
		switch in.Op {
		case giro.OpCharge:
			ispb, ordered = payerISPB, in.Now
		case giro.OpRefund:
			kind = "D"
		}
		return kind + ispb + ordered.UTC().Format("200601021504") + letters("end-to-end", in.ID, 11)
	case schemeSPEI:
		return strings.ReplaceAll(plainID(in), "-", "") // clave de rastreo: at most 29 letters and digits
	case schemeISO:
		if in.Op == giro.OpPayout {
			return plainID(in)
		}
	}
	return ""
}

// plainID is an instruction's id in what every bank's character set has: the
// movement's, and its number.
func plainID(in giro.Instruction) string {
	_, id, _ := strings.Cut(in.ID, "_")
	return strings.ToUpper(id)
}

// letters are n letters and digits that follow from an instruction.
func letters(purpose, id string, n int) string {
	const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	return number(purpose, id, n, alphabet)
}

func digits(purpose, id string, n int) string { return number(purpose, id, n, "0123456789") }

func number(purpose, id string, n int, alphabet string) string {
	sum := sha256.Sum256([]byte(purpose + "\n" + id))
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[int(binary.BigEndian.Uint16(sum[2*i:]))%len(alphabet)]
	}
	return string(b)
}

// members are an object's, in the order in which they are written: name and
// value in turn. A nil value is left out.
type members []any

func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	first := true
	for i := 0; i < len(m); i += 2 {
		if m[i+1] == nil {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		for j, v := range m[i : i+2] {
			if err := e.Encode(v); err != nil {
				return nil, err
			}
			if j == 0 {
				b.WriteByte(':')
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (m members) JSON() []byte {
	b, err := m.MarshalJSON()
	if err != nil {
		panic(err) // texts and numbers
	}
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// some leaves an empty text out.
func some(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Recall implements giro.Witness.
func (s *Sandbox) Recall(in giro.Instruction, a giro.Attempt, _ []byte) (request, answer *giro.Spoken) {
	var say func(giro.Instruction, giro.Attempt, string) (request, answer *giro.Spoken)
	switch schemeOf(in) {
	case schemeCard:
		say = recallCard
	case schemePIX:
		say = recallPIX
	case schemeSPEI:
		say = recallSPEI
	case schemeMobile:
		say = recallMobile
	default:
		say = recallISO
	}
	id := s.EndToEnd(in)
	if in.Op == giro.OpCharge {
		id = in.Movement.Detail.EndToEnd // the payer's, known once it is paid
	}
	request, answer = say(in, a, id)
	switch {
	case a.Act == "message":
		request = nil
	case a.Result == "no answer":
		answer = nil
	case a.Result == string(giro.VerdictAbsent):
		answer = &giro.Spoken{Status: 404, Body: members{"type", "about:blank", "title", "Not found", "status", 404}.JSON()}
	}
	return request, answer
}

func value(in giro.Instruction) string { return money.Format(in.Amount, in.Currency) }

// to is the party whose money or account it is, masked.
func to(in giro.Instruction) (name, document string) {
	who := in.Movement.Detail.Recipient
	if who == nil {
		who = in.Payer
	}
	if who == nil {
		return "", ""
	}
	if who.Document != nil {
		document = bank.MaskDocument(who.Document.Number)
	}
	return who.Name, document
}

// account is the key or the number to which money goes, masked: no more readable
// than the document that it may be.
func account(b *giro.Bank) string {
	if b == nil {
		return ""
	}
	if b.KeyType == "cpf" || b.KeyType == "cnpj" {
		return bank.MaskDocument(b.Key)
	}
	for _, n := range []string{b.Key, b.Account, b.IBAN, b.AccountNumber} {
		if n != "" {
			return bank.MaskNumber(n)
		}
	}
	return ""
}

// reasons are the codes of ISO 20022 for why a payment was not made; PIX has its
// own for a closed account.
func reason(code string, pix bool) string {
	switch code {
	case "account_closed":
		if pix {
			return "AC07"
		}
		return "AC04"
	case "invalid_key":
		return "AC03"
	case "insufficient_funds":
		return "AM04"
	}
	return "MS03"
}

func why(code, text string) any {
	if code == "" {
		return nil
	}
	return members{"codigo", code, "descricao", some(text)}
}

func recallPIX(in giro.Instruction, a giro.Attempt, id string) (request, answer *giro.Spoken) {
	status, motive := "EM_PROCESSAMENTO", any(nil)
	var settled any
	times := func() members {
		return members{"solicitacao", stamp(giro.TimeOf(in.Movement.Created)), "liquidacao", settled}
	}
	switch giro.Verdict(a.Result) {
	case giro.VerdictSucceeded:
		status, settled = "REALIZADO", stamp(giro.TimeOf(a.At))
	case giro.VerdictReturned, giro.VerdictRefunded:
		status, settled = "DEVOLVIDO", stamp(giro.TimeOf(a.At))
	case giro.VerdictFailed, giro.VerdictCanceled:
		status, motive = "NAO_REALIZADO", why(reason(a.Code, true), messages[a.Code])
	case giro.VerdictOnHold:
		status = "EM_ANALISE"
	}
	code := 200
	if a.Act == "submit" {
		code = 201
	}
	name, document := to(in)
	switch in.Op {
	case giro.OpCharge:
		txid := strings.ReplaceAll(plainID(in), "-", "")
		path := "/v2/cob/" + txid
		status = "ATIVA"
		var paid any
		switch giro.Verdict(a.Result) {
		case giro.VerdictSucceeded:
			status, paid = "CONCLUIDA", []members{{"endToEndId", some(id), "txid", txid, "valor", value(in), "horario", stamp(giro.TimeOf(a.At))}}
		case giro.VerdictFailed, giro.VerdictCanceled:
			status = "REMOVIDA_PELO_PSP"
		}
		body := members{"valor", members{"original", value(in)}}
		if name != "" {
			body = append(members{"devedor", members{"nome", name, "documento", some(document)}}, body...)
		}
		request = &giro.Spoken{Method: "PUT", Path: path, Body: body.JSON()}
		answer = &giro.Spoken{Status: code, Body: members{"txid", txid, "status", status, "valor", members{"original", value(in)}, "pix", paid}.JSON()}
		if a.Act == "lookup" {
			request = &giro.Spoken{Method: "GET", Path: path}
		}
		return request, answer
	case giro.OpRefund:
		back := strings.ReplaceAll(plainID(in), "-", "")
		path := "/v2/pix/" + in.Charge.Detail.EndToEnd + "/devolucao/" + back
		if status == "REALIZADO" {
			status = "DEVOLVIDO"
		}
		request = &giro.Spoken{Method: "PUT", Path: path, Body: members{"valor", value(in)}.JSON()}
		answer = &giro.Spoken{Status: code, Body: members{"id", back, "rtrId", id, "valor", value(in), "horario", times(), "status", status, "motivo", motive}.JSON()}
		if a.Act == "lookup" {
			request = &giro.Spoken{Method: "GET", Path: path}
		}
		return request, answer
	}
	request = &giro.Spoken{Method: "POST", Path: "/v2/pix/pagamentos", Body: members{
		"endToEndId", id, "idEnvio", in.ID, "valor", value(in),
		"pagador", members{"ispb", sandboxISPB},
		"favorecido", members{"chave", some(account(in.Movement.Detail.Bank)), "nome", some(name), "documento", some(document)},
		"infoPagador", some(in.Movement.Detail.Description),
	}.JSON()}
	if a.Act == "lookup" {
		request = &giro.Spoken{Method: "GET", Path: "/v2/pix/pagamentos/" + id}
	}
	var returned any
	if status == "DEVOLVIDO" {
		returned = []members{{"rtrId", "D" + sandboxISPB + giro.TimeOf(a.At).UTC().Format("200601021504") + letters("return", in.ID, 11), "valor", value(in), "motivo", "MD06"}}
	}
	answer = &giro.Spoken{Status: code, Body: members{"endToEndId", id, "idEnvio", in.ID, "valor", value(in), "horario", times(), "status", status, "motivo", motive, "devolucoes", returned}.JSON()}
	return request, answer
}

func recallSPEI(in giro.Instruction, a giro.Attempt, id string) (request, answer *giro.Spoken) {
	name, document := to(in)
	order := members{
		"claveRastreo", id, "monto", value(in), "tipoPago", 1,
		"institucionOperante", "90999", // no bank has it
	}
	if b := in.Movement.Detail.Bank; b != nil && in.Op == giro.OpPayout {
		kind := 40 // a CLABE
		if len(b.Account) != 18 {
			kind = 10 // a phone
		} else {
			order = append(order, "bancoBeneficiario", b.Account[:3])
		}
		order = append(order, "tipoCuentaBeneficiario", kind, "cuentaBeneficiario", account(b))
	}
	if document == "" {
		document = "ND"
	}
	order = append(order, "nombreBeneficiario", some(name), "rfcCurpBeneficiario", document,
		"conceptoPago", some(concept(in.Movement.Detail.Description)), "referenciaNumerica", "1"+digits("reference", in.ID, 6))
	request = &giro.Spoken{Method: "PUT", Path: "/speiws/rest/ordenPago/registra", Body: order.JSON()}
	number := json.Number("1" + digits("order", in.ID, 8))
	if a.Act == "submit" && giro.Verdict(a.Result) == giro.VerdictPending {
		return request, &giro.Spoken{Status: 200, Body: members{"resultado", members{"id", number}}.JSON()}
	}
	if a.Act == "lookup" {
		request = &giro.Spoken{Method: "GET", Path: "/speiws/rest/ordenPago/consulta?claveRastreo=" + id}
	}
	state, settled, cause := "PL", any(nil), any(nil)
	switch giro.Verdict(a.Result) {
	case giro.VerdictSucceeded:
		state, settled = "LQ", stamp(giro.TimeOf(a.At))
	case giro.VerdictReturned, giro.VerdictRefunded:
		state, settled, cause = "D", stamp(giro.TimeOf(a.At)), some("Cuenta inexistente")
	case giro.VerdictFailed, giro.VerdictCanceled:
		state, cause = "CN", some(speiCause(a.Code))
	case giro.VerdictOnHold:
		state = "PA"
	}
	return request, &giro.Spoken{Status: 200, Body: members{"resultado", members{"ordenPago", members{
		"idEF", number, "claveRastreo", id, "monto", value(in), "estado", state, "tsLiquidacion", settled, "causaDevolucion", cause,
	}}}.JSON()}
}

func speiCause(code string) string {
	switch code {
	case "account_closed":
		return "Cuenta cancelada"
	case "invalid_key":
		return "Cuenta inexistente"
	}
	return messages[code]
}

// concept is a text as SPEI takes it: at most 39 characters.
func concept(s string) string {
	r := []rune(s)
	return string(r[:min(len(r), 39)])
}

func recallCard(in giro.Instruction, a giro.Attempt, _ string) (request, answer *giro.Spoken) {
	path, kind, processing := "/card/purchases", "0200", "000000"
	switch in.Op {
	case giro.OpAuthorise:
		path, kind = "/card/authorizations", "0100"
	case giro.OpCapture:
		path, kind = "/card/completions", "0220"
	case giro.OpVoid:
		path, kind = "/card/reversals", "0400"
	case giro.OpRefund:
		path, processing = "/card/refunds", "200000"
	case giro.OpPayout:
		path, processing = "/card/credits", "260000"
	}
	card := in.Movement.Detail.Card
	if in.Op == giro.OpRefund {
		card = in.Charge.Detail.Card
	}
	stan, rrn := digits("stan", in.ID, 6), digits("rrn", in.ID, 12)
	amount := members{"value", value(in), "currency", string(in.Currency)}
	request = &giro.Spoken{Method: "POST", Path: path, Body: members{
		"messageType", kind, "processingCode", processing, "systemTraceAuditNumber", stan, "reference", in.ID, "amount", amount,
		"card", members{"token", bank.MaskNumber(card.Token), "brand", some(card.Brand), "last4", some(card.Last4)},
		"statementDescriptor", some(in.Movement.Detail.Descriptor),
	}.JSON()}
	if a.Act == "lookup" {
		request = &giro.Spoken{Method: "GET", Path: path + "/" + url.PathEscape(in.ID)}
	}
	code, authorisation := "00", any(nil)
	switch giro.Verdict(a.Result) {
	case giro.VerdictPending:
		code = "09" // in progress
	case giro.VerdictOnHold:
		code = "01" // refer to the issuer
	case giro.VerdictFailed, giro.VerdictCanceled:
		switch a.Code {
		case "insufficient_funds":
			code = "51"
		case "expired":
			code = "54"
		case "fraud":
			code = "59"
		case "not_done":
			code = "91"
		default:
			code = "05"
		}
	default:
		authorisation = strings.ToUpper(letters("authorisation", in.Movement.ID.String(), 6))
	}
	return request, &giro.Spoken{Status: 200, Body: members{
		"messageType", kind[:2] + "10", "responseCode", code, "authorizationCode", authorisation,
		"retrievalReferenceNumber", rrn, "systemTraceAuditNumber", stan, "amount", amount,
	}.JSON()}
}

func recallMobile(in giro.Instruction, a giro.Attempt, _ string) (request, answer *giro.Spoken) {
	m, kind, party := in.Movement, "disbursement", "creditParty"
	switch in.Op {
	case giro.OpCharge:
		kind, party = "merchantpay", "debitParty"
	case giro.OpRefund:
		kind, m = "reversal", in.Charge
	}
	request = &giro.Spoken{Method: "POST", Path: "/transactions/type/" + kind, Body: members{
		"amount", value(in), "currency", string(in.Currency), party, []members{{"key", "msisdn", "value", bank.MaskNumber(m.Detail.Mobile.Phone)}},
		"requestingOrganisationTransactionReference", in.ID, "descriptionText", some(in.Movement.Detail.Description),
	}.JSON()}
	correlation := digits("correlation", in.ID, 12)
	if a.Act == "lookup" {
		request = &giro.Spoken{Method: "GET", Path: "/requeststates/" + correlation}
	}
	status, reference, failure := "pending", any(nil), any(nil)
	switch giro.Verdict(a.Result) {
	case giro.VerdictSucceeded, giro.VerdictReturned, giro.VerdictRefunded:
		status, reference = "completed", digits("transaction", in.ID, 12)
	case giro.VerdictFailed, giro.VerdictCanceled:
		status, failure = "failed", members{"errorCategory", "businessRule", "errorCode", some(a.Code), "errorDescription", some(messages[a.Code])}
	}
	code := 200
	if a.Act == "submit" {
		code = 202
	}
	return request, &giro.Spoken{Status: code, Body: members{"serverCorrelationId", correlation, "status", status, "objectReference", reference, "error", failure}.JSON()}
}

func recallISO(in giro.Instruction, a giro.Attempt, id string) (request, answer *giro.Spoken) {
	name, document := to(in)
	b := in.Movement.Detail.Bank
	path, agent, number := "/payments", any(nil), any(nil)
	if in.Op == giro.OpCharge {
		path = "/collections"
	}
	if b != nil {
		var system any
		switch {
		case b.RoutingNumber != "":
			system = members{"ClrSysId", "USABA", "MmbId", b.RoutingNumber}
		case b.BankCode != "":
			system = members{"MmbId", b.BankCode}
		}
		if b.BIC != "" || system != nil {
			agent = members{"FinInstnId", members{"BICFI", some(b.BIC), "ClrSysMmbId", system}, "BrnchId", some(b.Branch)}
		}
		if b.IBAN != "" {
			number = members{"Id", members{"IBAN", bank.MaskNumber(b.IBAN)}}
		} else if n := account(b); n != "" {
			number = members{"Id", members{"Othr", members{"Id", n}}, "Tp", some(b.AccountType)}
		}
	}
	var party any
	if name != "" {
		var identity any
		if document != "" {
			identity = members{"PrvtId", members{"Othr", members{"Id", document}}}
		}
		party = members{"Nm", name, "Id", identity}
	}
	ids := members{"InstrId", plainID(in), "EndToEndId", some(id)}
	var note any
	if text := in.Movement.Detail.Description; text != "" {
		note = members{"Ustrd", text}
	}
	request = &giro.Spoken{Method: "POST", Path: path, Body: members{
		"GrpHdr", members{"MsgId", plainID(in), "CreDtTm", stamp(giro.TimeOf(in.Movement.Created)), "NbOfTxs", "1"},
		"CdtTrfTxInf", members{"PmtId", ids, "Amt", members{"InstdAmt", members{"Ccy", string(in.Currency), "value", value(in)}},
			"CdtrAgt", agent, "Cdtr", party, "CdtrAcct", number, "RmtInf", note},
	}.JSON()}
	if a.Act == "lookup" {
		request = &giro.Spoken{Method: "GET", Path: path + "/" + plainID(in) + "/status"}
	}
	status, settled, because, returned := "ACTC", any(nil), any(nil), any(nil)
	switch giro.Verdict(a.Result) {
	case giro.VerdictSucceeded:
		status, settled = "ACSC", stamp(giro.TimeOf(a.At))
	case giro.VerdictReturned, giro.VerdictRefunded:
		status, returned = "ACSC", members{"RtrRsnInf", members{"Rsn", members{"Cd", "MS03"}}, "RtrdInstdAmt", members{"Ccy", string(in.Currency), "value", value(in)}}
	case giro.VerdictFailed, giro.VerdictCanceled:
		status, because = "RJCT", members{"Rsn", members{"Cd", reason(a.Code, false)}, "AddtlInf", some(messages[a.Code])}
	case giro.VerdictOnHold:
		status = "BLCK"
	}
	code := 200
	if a.Act == "submit" {
		code = 201
	}
	return request, &giro.Spoken{Status: code, Body: members{"TxInfAndSts", members{
		"OrgnlInstrId", plainID(in), "OrgnlEndToEndId", some(id), "TxSts", status, "AccptncDtTm", settled, "StsRsnInf", because, "RtrInf", returned,
	}}.JSON()}
}

var _ giro.Witness = (*Sandbox)(nil)
