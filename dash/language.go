package dash

import (
	"net/http"
	"strings"

	"giro"
)

// texts are the words of the sign-in pages in one language; the dashboard's own
// catalogues live with its script.
type texts struct {
	SignIn, Welcome, First, Join, Email, Name, Password, NewPassword, Rule, Continue, Forgot string

	Wrong, Wait, Link, Taken, NeedsTLS, Invalid, Failed string

	// Roles are the names of the roles.
	Roles map[giro.Duty]string
}

var languages = map[string]texts{
	"en": {
		SignIn: "Sign in", Welcome: "Welcome", First: "You are the first here and become the owner.", Join: "You are invited to", Email: "E-mail", Name: "Your name", Password: "Password",
		NewPassword: "New password", Rule: "At least 8 characters. A sentence is a good password.", Continue: "Set the password and go on", Forgot: "Forgotten? An owner or admin of your team makes a link for a new password.",
		Wrong: "The e-mail address or the password is wrong.", Wait: "Too many failed attempts. Wait a moment and try again.", Link: "This link was used, has expired or never existed. Ask for another one.",
		Taken: "Somebody changed this at the same moment. Try again.", NeedsTLS: "People sign in over https, or on the machine itself.", Invalid: "Check the fields: the password needs 8 to 200 characters, the address must be a plain one.", Failed: "giro cannot do this now. Try again.",
		Roles: map[giro.Duty]string{giro.DutyOwner: "Owner", giro.DutyAdmin: "Admin", giro.DutyDeveloper: "Developer", giro.DutyMaker: "Maker", giro.DutyApprover: "Approver", giro.DutySupport: "Support", giro.DutyViewer: "Viewer"},
	},
	"pt-BR": {
		SignIn: "Entrar", Welcome: "Boas-vindas", First: "Você é a primeira pessoa aqui e será proprietária.", Join: "Você recebeu um convite para", Email: "E-mail", Name: "Seu nome", Password: "Senha",
		NewPassword: "Nova senha", Rule: "No mínimo 8 caracteres. Uma frase é uma boa senha.", Continue: "Definir a senha e continuar", Forgot: "Esqueceu? Um proprietário ou administrador da equipe cria um link para uma nova senha.",
		Wrong: "O e-mail ou a senha não conferem.", Wait: "Muitas tentativas sem sucesso. Espere um momento e tente de novo.", Link: "Este link já foi usado, expirou ou nunca existiu. Peça outro.",
		Taken: "Alguém alterou isto ao mesmo tempo. Tente de novo.", NeedsTLS: "O acesso é por https ou na própria máquina.", Invalid: "Confira os campos: a senha tem de 8 a 200 caracteres e o e-mail é um endereço simples.", Failed: "O giro não consegue fazer isto agora. Tente de novo.",
		Roles: map[giro.Duty]string{giro.DutyOwner: "Proprietário", giro.DutyAdmin: "Administrador", giro.DutyDeveloper: "Desenvolvedor", giro.DutyMaker: "Operador", giro.DutyApprover: "Aprovador", giro.DutySupport: "Suporte", giro.DutyViewer: "Leitor"},
	},
	"es-419": {
		SignIn: "Iniciar sesión", Welcome: "Le damos la bienvenida", First: "Es la primera persona aquí y será propietaria.", Join: "Recibió una invitación a", Email: "Correo electrónico", Name: "Su nombre", Password: "Contraseña",
		NewPassword: "Nueva contraseña", Rule: "Al menos 8 caracteres. Una frase es una buena contraseña.", Continue: "Definir la contraseña y continuar", Forgot: "¿La olvidó? Un propietario o administrador de su equipo crea un enlace para una nueva.",
		Wrong: "El correo o la contraseña no son correctos.", Wait: "Demasiados intentos fallidos. Espere un momento e intente de nuevo.", Link: "Este enlace ya se usó, venció o nunca existió. Pida otro.",
		Taken: "Alguien cambió esto al mismo tiempo. Intente de nuevo.", NeedsTLS: "Se inicia sesión por https o en la misma máquina.", Invalid: "Revise los campos: la contraseña tiene de 8 a 200 caracteres y el correo es una dirección simple.", Failed: "giro no puede hacer esto ahora. Intente de nuevo.",
		Roles: map[giro.Duty]string{giro.DutyOwner: "Propietario", giro.DutyAdmin: "Administrador", giro.DutyDeveloper: "Desarrollador", giro.DutyMaker: "Operador", giro.DutyApprover: "Aprobador", giro.DutySupport: "Soporte", giro.DutyViewer: "Lector"},
	},
}

// chosen returns what a person has chosen in this browser's dashboard; "" if nothing.
func chosen(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// theme returns a theme that the pages know, "" for the system's.
func theme(name string) string {
	if name == "light" || name == "dark" {
		return name
	}
	return ""
}

// language takes the one that was chosen, or else goes by Accept-Language, in
// the order of the header.
func language(chosen, header string) (string, texts) {
	if t, ok := languages[chosen]; ok {
		return chosen, t
	}
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch primary, _, _ := strings.Cut(strings.ToLower(tag), "-"); primary {
		case "en":
			return "en", languages["en"]
		case "pt":
			return "pt-BR", languages["pt-BR"]
		case "es":
			return "es-419", languages["es-419"]
		}
	}
	return "en", languages["en"]
}

// role names what somebody may do.
func (t texts) role(d giro.Duty) string {
	if name := t.Roles[d]; name != "" {
		return name
	}
	return string(d)
}

// failure says in this language what went wrong.
func (t texts) failure(err error) string {
	switch giro.AsError(err).Code {
	case giro.CodeUnauthenticated:
		return t.Wrong
	case giro.CodeRateLimited:
		return t.Wait
	case giro.CodeLinkInvalid:
		return t.Link
	case giro.CodeConflict:
		return t.Taken
	case giro.CodeForbidden:
		return t.NeedsTLS
	case giro.CodeMissingField, giro.CodeInvalidLength, giro.CodeTooLong, giro.CodeInvalidValue, giro.CodeEmailInvalid:
		return t.Invalid
	}
	return t.Failed
}
