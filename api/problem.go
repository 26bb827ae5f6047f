package api

import (
	"bytes"
	"html"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"giro"
)

// explanation is what the contract says about a code: its status, a title that
// never changes with the occurrence, and what to do about it.
type explanation struct {
	status int
	title  string
	advice string
}

// explanations holds every giro.Code. 400 cannot be parsed or misuses the
// protocol, 422 is acceptable in no state, 409 is refused in the present one.
var explanations = map[giro.Code]explanation{
	giro.CodeBodyRequired:      {400, "The body is missing", "Send a JSON object, at least {}."},
	giro.CodeInvalidJSON:       {400, "The body is not valid JSON", "Send one JSON value as RFC 8259 describes it: double quotes, no comments, no trailing commas, no byte order mark. The detail names the byte where reading stopped."},
	giro.CodeBodyNotObject:     {400, "The body is not a JSON object", "Put the fields into an object: {\"amount\": 1000, …}."},
	giro.CodeInvalidUTF8:       {400, "The body is not UTF-8", "Encode the body as UTF-8. Escaped surrogates (\\ud83d\\ude00) must come in pairs."},
	giro.CodeDuplicateKey:      {400, "A key stands twice", "Send every key of an object once. giro does not guess which of two values was meant."},
	giro.CodeJSONTooDeep:       {400, "The body is nested too deep", "Use at most 32 levels of objects and arrays."},
	giro.CodeJSONTooLarge:      {400, "The body has too many members", "Use at most 1,000 keys in an object and 1,000 elements in an array."},
	giro.CodeBodyTooLarge:      {413, "The body is too large", "Send at most 1 MiB, in several requests if need be."},
	giro.CodeInvalidID:         {400, "The id cannot be one", "Send the id exactly as giro answered it."},
	giro.CodeInvalidHeader:     {400, "A header cannot be used", "The param names the header. Send visible ASCII characters on one line."},
	giro.CodeInvalidLimit:      {400, "The limit is out of range", "Send limit as an integer from 1 to 100 (1 to 40 in the SmartFastPay dialect)."},
	giro.CodeInvalidPage:       {400, "The page is out of range", "Send page as an integer from 1 to 9,999,999 and items_per_page from 1 to 100."},
	giro.CodeInvalidSort:       {400, "The order is not known", "Send sort as field,asc or field,desc with a field that the list names."},
	giro.CodeInvalidTime:       {400, "A time cannot be read", "Send Unix seconds or an RFC 3339 time with its zone, such as 2026-01-31T12:00:00Z; a range begins before it ends."},
	giro.CodeInvalidCursor:     {400, "The cursor is not of this list", "Take the cursor from the Link header of the page before, and keep every filter as it was."},
	giro.CodeInvalidParameter:  {400, "A query parameter is not valid", "The param names it; the detail says what is accepted."},
	giro.CodeUnknownParameter:  {400, "A query parameter does not exist", "The param names it. Parameters are not ignored, so that a filter with a typing error does not answer everything."},
	giro.CodeRepeatedParameter: {400, "A query parameter stands twice", "Send every parameter once; lists are separated by commas."},
	giro.CodeTooManyValues:     {400, "A list in a parameter is too long", "Send at most 100 values, in several requests if need be."},
	giro.CodeURITooLong:        {414, "The URL is too long", "Keep the URL under 16 kB."},
	giro.CodeHeadersTooLarge:   {431, "The headers are too large", "Keep all headers together under 16 kB."},
	giro.CodeUnsupportedMedia:  {415, "The body is not declared as JSON", "Send Content-Type: application/json, in UTF-8."},
	giro.CodeUnsupportedCoding: {415, "The body is compressed", "Send the body without Content-Encoding."},
	giro.CodeMethodNotAllowed:  {405, "The route does not have this method", "The Allow header lists the methods that it has."},
	giro.CodeRouteUnknown:      {404, "There is no such route", "Compare the path with /docs. Paths are exact: lower case, no trailing slash."},
	giro.CodeLinkInvalid:       {400, "The link cannot be used", "Links of the first start, of invitations and of password resets work once and for a limited time. Ask for another one."},
	giro.CodeCSRF:              {403, "The request did not come from the dashboard", "Requests with the session cookie need the dashboard's own origin; programs use an API key."},

	giro.CodeUnauthenticated: {401, "The request carries no valid credential", "Send Authorization: Bearer with an API key. Keys are not read from the query string."},
	giro.CodeKeyRevoked:      {401, "The key is revoked or has expired", "Use another key, or make one."},
	giro.CodeForbidden:       {403, "The credential may not do this", "Use a credential with the scope or role that the detail names."},
	giro.CodeTestModeOnly:    {403, "This exists in test mode only", "Use a test key (sk_test_…)."},
	giro.CodeNotFound:        {404, "There is no such object", "Check the id, and that the key is of the same merchant and mode as the object."},

	giro.CodeMissingField:        {422, "A field is missing", "The param names the field that is required."},
	giro.CodeInvalidType:         {422, "A field has the wrong JSON type", "The param names the field; the detail says which type it has."},
	giro.CodeInvalidFormat:       {422, "A field has the wrong form", "The param names the field; the detail says what it looks like."},
	giro.CodeInvalidValue:        {422, "A field has a value that does not exist", "The param names the field; the detail lists or bounds what is accepted."},
	giro.CodeInvalidLength:       {422, "A field has the wrong length", "The param names the field; the detail says how long it may be. Lengths count Unicode code points."},
	giro.CodeInvalidCharacters:   {422, "A string holds a character that cannot be stored", "Leave out U+0000."},
	giro.CodeTooLong:             {422, "A string is too long", "The param names the field; the detail says how long it may be. Lengths count Unicode code points."},
	giro.CodeUnknownField:        {422, "A field does not exist", "The param names it. Unknown fields are not ignored, so that a typing error does not lose what you meant."},
	giro.CodeReadOnlyField:       {422, "A field cannot be set", "Leave it out: giro sets it."},
	giro.CodeAmountTooSmall:      {422, "The amount is too small", "Send an amount greater than 0."},
	giro.CodeAmountTooLarge:      {422, "The amount is too large", "Send at most 99,999,999,999,999 minor units."},
	giro.CodeAmountNotInteger:    {422, "The amount is not an integer", "Send the amount in the currency's minor unit (cents) as a JSON integer: 1000, not 10.00, 1e3 or \"1000\"."},
	giro.CodeAmountPrecision:     {422, "The amount has too many decimals", "Use no more decimal places than the currency has."},
	giro.CodeAmountFormat:        {422, "The amount is not a decimal number", "Send digits with an optional decimal point: no sign, blanks, thousands separators or exponent."},
	giro.CodeCurrencyUnknown:     {422, "The currency is not known", "Send an alphabetic code of ISO 4217, in either case."},
	giro.CodeCurrencyMismatch:    {422, "The currencies differ", "Use the currency of the object or account that the request names."},
	giro.CodeMetadataTooMany:     {422, "Metadata has too many keys", "Use at most 50 keys."},
	giro.CodeMetadataNotFlat:     {422, "Metadata is nested", "Every value of metadata is a string of at most 500 characters."},
	giro.CodeProviderUnknown:     {422, "The provider is not known", "Send card, mobile or bank."},
	giro.CodeProviderUnavailable: {422, "No rail carries this", "The merchant has no rail for this provider and method; set one up or use another."},
	giro.CodeMethodUnknown:       {422, "The bank method is not known", "The detail lists the methods."},
	giro.CodeTokenInvalid:        {422, "The token cannot be used", "Make a new token; tokens are of one merchant and mode."},
	giro.CodeNothingToUpdate:     {422, "The request changes nothing", "Send at least one field that can be changed."},
	giro.CodeStatusNotSettable:   {422, "The status cannot be set", "Send succeeded, canceled or pending where the kind allows it; the other statuses follow from what happens."},
	giro.CodeInvalidStatus:       {422, "The status does not exist", "Send one of the statuses of the contract as a string."},
	giro.CodeChargeUnknown:       {422, "There is no such charge", "Check the id in the body, and that the charge is of the same merchant and mode."},
	giro.CodeCustomerUnknown:     {422, "There is no such customer", "Check the id in the body, and that the customer is of the same merchant and mode."},
	giro.CodeSourceUnknown:       {422, "There is no such source", "Check the id in the body, and that the source is of the same merchant and mode."},
	giro.CodeAccountUnknown:      {422, "There is no such account", "Check the account ids in the body, and that they are of the same mode."},
	giro.CodeSameAccount:         {422, "Both accounts are the same", "Name two different accounts."},
	giro.CodeDocumentInvalid:     {422, "The identity document is not valid", "Check the type and every digit: the check digit does not agree or the form is wrong."},
	giro.CodeKeyInvalid:          {422, "The payment key is not valid", "Send a PIX key as a CPF, CNPJ, phone in E.164, e-mail address or random key."},
	giro.CodeAccountInvalid:      {422, "The bank account is not valid", "Check every digit: the check digit does not agree or the form is wrong."},
	giro.CodePhoneInvalid:        {422, "The phone number is not valid", "Send it in E.164: + and the country code, digits only."},
	giro.CodeEmailInvalid:        {422, "The e-mail address is not valid", "Send a plain address: name@example.com."},
	giro.CodeCardData:            {422, "The request holds card data", "Never send card numbers or security codes to giro; use a token of the card provider. Nothing of the request was kept. In a URL or header the status is 400."},
	giro.CodeURLForbidden:        {422, "The URL cannot be called", "Use https and a public host name."},
	giro.CodePortForbidden:       {422, "The port cannot be called", "Use port 443 or 8443."},

	giro.CodeInvalidState:        {409, "The object's state does not allow this", "Read the object again; the table of moves stands in the docs."},
	giro.CodeInFlight:            {409, "The outcome is not known yet", "Something is on its way at the rail. Wait for its event, then try again."},
	giro.CodeInsufficientFunds:   {409, "The balance is too low", "Compare the amount with the available balance at /v1/balances."},
	giro.CodeBalanceOverflow:     {409, "The balance would become too large", "Move money out of the account first."},
	giro.CodeDuplicateReference:  {409, "The reference was used for something else", "A reference is unique for good. Use a new one, or send the same data to get the first object."},
	giro.CodeBelowCaptured:       {409, "The amount is below what was captured", "Refund the difference instead."},
	giro.CodeRefundExceeds:       {409, "The refund exceeds what is left", "Captured less refunded less open refunds can be given back."},
	giro.CodeChargeNotRefundable: {409, "Nothing was captured", "Cancel the charge instead of refunding it."},
	giro.CodeAlreadyRefunded:     {409, "The charge was given back in full", "Nothing is left to refund."},
	giro.CodeChargeDisputed:      {409, "The charge is disputed", "The dispute decides about the money."},
	giro.CodeReversalExceeds:     {409, "The reversal exceeds what is left", "Moved less reversed can be reversed."},
	giro.CodeCaptureExceeds:      {409, "The capture exceeds what was authorised", "Raise the charge's amount first."},
	giro.CodeAccountClosed:       {409, "The account is closed", "Use another account."},
	giro.CodeAccountNotEmpty:     {409, "The account is not empty", "Bring its balances to 0 and wait for open movements, then close it."},
	giro.CodeEndpointLimit:       {409, "There are too many webhook endpoints", "Delete one; a merchant has at most 50."},
	giro.CodeQuoteExpired:        {409, "The quote has expired", "Ask for a new quote."},
	giro.CodeQuoteUsed:           {409, "The quote was used", "Ask for a new quote."},
	giro.CodeLastOwner:           {409, "The last owner cannot be removed", "Make somebody else an owner first."},
	giro.CodeConflict:            {409, "The request conflicts with another", "Read the object again and repeat what is still wanted."},
	giro.CodePreconditionFailed:  {412, "The object has changed", "Read it again and send its new ETag in If-Match."},

	giro.CodeKeyRequired:   {400, "The Idempotency-Key is missing", "Send a new random value per operation, and the same value when you repeat it."},
	giro.CodeKeyMalformed:  {400, "The Idempotency-Key cannot be used", "Send it once: 1 to 255 visible ASCII characters, bare or in one pair of double quotes."},
	giro.CodeKeyReused:     {422, "The Idempotency-Key was used for another request", "The detail names the members that differ. Use a new key for a new operation."},
	giro.CodeKeyInProgress: {409, "The first request with this key is still running", "Send the same request again after Retry-After."},

	giro.CodeRateLimited: {429, "Too many requests", "Send the request again after Retry-After."},
	giro.CodeUnavailable: {503, "giro cannot take the request now", "Send the same request with the same Idempotency-Key again after Retry-After."},
	giro.CodeInternal:    {500, "giro failed", "Send the same request with the same Idempotency-Key again. If it stays, look for the request id in the log."},
}

// statusOf returns the HTTP status of a refusal on v1. Card data in a URL or a
// header is a misuse of the protocol; in a body it is a bad value.
func statusOf(e *giro.Error) int {
	if e.Code == giro.CodeCardData && e.Param != "" && !strings.HasPrefix(e.Param, "/") {
		return http.StatusBadRequest
	}
	return explanations[e.Code].status
}

// appendProblem writes v1's error body (RFC 9457).
func appendProblem(b []byte, e *giro.Error, requestID string) []byte {
	x := explanations[e.Code]
	b = append(b, `{"type":"/docs/errors/`...)
	b = append(b, e.Code...)
	b = append(b, `","title":`...)
	b = appendString(b, x.title)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(statusOf(e)), 10)
	b = append(b, `,"detail":`...)
	b = appendString(b, e.Message)
	b = append(b, `,"code":"`...)
	b = append(b, e.Code...)
	b = append(b, '"')
	if e.Param != "" {
		b = append(b, `,"param":`...)
		b = appendString(b, e.Param)
	}
	b = append(b, `,"request_id":"`...)
	b = append(b, requestID...)
	return append(b, '"', '}')
}

// retryAfter returns the Retry-After header of a refusal in whole seconds,
// rounded up; "" if it has none. 429 and 503 always have one.
func retryAfter(e *giro.Error) string {
	after := e.RetryAfter
	if after <= 0 {
		if s := statusOf(e); s != http.StatusTooManyRequests && s != http.StatusServiceUnavailable {
			return ""
		}
		after = time.Second
	}
	return strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
}

// Explain returns the status, title and advice of a code, for the pages of the
// docs and for programs that explain a code; ok is false for an unknown one.
func Explain(code giro.Code) (status int, title, advice string, ok bool) {
	x, ok := explanations[code]
	return x.status, x.title, x.advice, ok
}

// Codes lists every code in alphabetical order.
func Codes() []giro.Code {
	codes := make([]giro.Code, 0, len(explanations))
	for c := range explanations {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	return codes
}

// docStyle is the style of the built-in pages, allowed by its hash.
const docStyle = `:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:0 auto;padding:1.5rem}` +
	`code,pre{font:14px/1.45 ui-monospace,monospace}pre{overflow-x:auto;padding:.75rem;border:1px solid #8886;border-radius:.4rem}` +
	`table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #8884}` +
	`a{color:LinkText}nav{margin-bottom:1.5rem}h2{margin-top:2.5rem}h3{margin-top:2rem}`

// page wraps the HTML of a body into a whole document.
func page(title, body string) []byte {
	var b bytes.Buffer
	b.WriteString(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>`)
	b.WriteString(html.EscapeString(title))
	b.WriteString(` · giro</title><style>` + docStyle + `</style></head><body><nav aria-label="Docs"><a href="/docs">API</a> · <a href="/docs/errors">Errors</a> · <a href="/openapi.json">OpenAPI</a></nav><main><h1>`)
	b.WriteString(html.EscapeString(title))
	b.WriteString(`</h1>`)
	b.WriteString(body)
	b.WriteString("</main></body></html>\n")
	return b.Bytes()
}

// errorPage is the page of one code, errorsPage the list of all.
func errorPage(code giro.Code) []byte {
	x := explanations[code]
	return page(string(code), "<p>Status <strong>"+strconv.Itoa(x.status)+"</strong> "+html.EscapeString(http.StatusText(x.status))+
		"</p><p>"+html.EscapeString(x.title)+".</p><h2>What to do</h2><p>"+html.EscapeString(x.advice)+"</p>")
}

func errorsPage() []byte {
	var b strings.Builder
	b.WriteString(`<p>Errors are <code>application/problem+json</code> (RFC 9457). Programs branch on <code>code</code>.</p><table><thead><tr><th scope="col">Code</th><th scope="col">Status</th><th scope="col">Meaning</th></tr></thead><tbody>`)
	for _, code := range Codes() {
		x := explanations[code]
		b.WriteString(`<tr><td><a href="/docs/errors/` + string(code) + `"><code>` + string(code) + `</code></a></td><td>` + strconv.Itoa(x.status) + `</td><td>` + html.EscapeString(x.title) + `</td></tr>`)
	}
	b.WriteString(`</tbody></table>`)
	return page("Errors", b.String())
}

// at is a refusal with the place that it is about.
func at(err error, param string) error {
	e := *giro.AsError(err)
	e.Param = param
	return &e
}
