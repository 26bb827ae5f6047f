import{r as e}from"./rolldown-runtime.js";import{F as t,M as n,P as r,V as i,X as a,Y as o,a as s,c,it as l,rt as u,w as d,z as f}from"./main.js";import{I as p,u as m,z as h}from"./begin.js";var g=e(l(),1),_=u();function v(e,t,n){let r=`--amount ${f(1e3,t)} --currency ${t}`;switch(e){case`charges`:{let e=n?`tok_…`:`tok_ok`;return{body:{amount:1e3,currency:t,provider:`card`,card:{token:e}},command:`giro charges create ${r} --card-token ${e}`}}case`refunds`:return{body:{charge:`ch_…`,amount:500},command:`giro refunds create ch_… --amount 5.00`};case`payouts`:return{body:{amount:1e3,currency:`brl`,provider:`bank`,bank:{method:`pix`,key:`maria@example.com`},recipient:{name:`Maria`}},command:`giro payouts create --amount 10.00 --currency brl --pix-key maria@example.com --name Maria`};case`transfers`:return{body:{amount:1e3,currency:t,destination:`acct_…`},command:`giro transfers create ${r} --to acct_…`};default:return{body:{name:`Maria`,email:`maria@example.com`},command:`giro customers create --name Maria --email maria@example.com`}}}var y=e=>e.replace(/(^|_)(.)/g,(e,t,n)=>n.toUpperCase());function b(e,t){let n={card:`Card`,bank:`Bank`,recipient:`Party`};return`&client.${e}{${Object.entries(t).map(([e,t])=>`${y(e)}: ${typeof t==`object`?b(n[e],t):JSON.stringify(t)}`).join(`, `)}}`}function x(e,t,n){let r=y(e.slice(0,-1));return`package main

import (
\t"context"
\t"fmt"
\t"log"${n?``:`
	"os"`}

\t"giro/client"
)

func main() {
\tc, err := client.New(${JSON.stringify(location.origin)}, ${n?JSON.stringify(n):`os.Getenv("GIRO_API_KEY")`}, client.Options{})
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tmade, err := c.${y(e)}.Create(context.Background(), ${b(r+`Create`,t)})
\tif err != nil {
\t\tlog.Fatal(err)
\t}
\tfmt.Println(made.ID)
}
`}function S({kind:e,children:l}){let{merchant:u,live:f}=t(),y=r(),b=d(),[S,C]=(0,g.useState)(),[w,T]=(0,g.useState)(!1),[E,D]=(0,g.useState)(),{body:O,command:k}=v(e,(u.currency??`usd`).toLowerCase(),f),A=S?.secret,j=async e=>{T(!0),D(void 0),await e().catch(D),T(!1)},M=async()=>{let e=await h(`/v1/api_keys`,[],{name:m(`first.key_name`),expires_at:Math.floor(Date.now()/1e3)+3600},crypto.randomUUID());C(e.data),a(`/v1/api_keys`)},N=async()=>{let e=await h(`/v1/charges`,[],O,crypto.randomUUID());a(`/v1/charges`,`/v1/balances`,`/v1/figures`),b(`/payments/`+e.data.id)};return(0,_.jsxs)(`div`,{className:`first`,children:[(0,_.jsx)(`p`,{children:l}),(0,_.jsxs)(`div`,{children:[(0,_.jsx)(`p`,{className:`muted small`,children:m(`first.http`)}),(0,_.jsx)(s,{text:p(`POST`,`/v1/`+e,void 0,O,A),label:m(`request`)})]}),(0,_.jsxs)(`div`,{children:[(0,_.jsx)(`p`,{className:`muted small`,children:m(`first.command`)}),(0,_.jsx)(s,{text:`${A?`GIRO_API_KEY=${A} `:``}GIRO_URL=${location.origin} \\\n  ${k}`,label:m(`command`)})]}),(0,_.jsxs)(`details`,{children:[(0,_.jsx)(`summary`,{children:m(`first.go`)}),(0,_.jsx)(s,{text:x(e,O,A),label:m(`first.go`)})]}),A&&(0,_.jsxs)(`p`,{className:`ok`,role:`status`,children:[(0,_.jsx)(n,{name:`key`,size:14}),` `,m(`first.key_made`,{at:o(i(S.expires_at),`clock`)})]}),E!==void 0&&(0,_.jsx)(c,{error:E}),(0,_.jsxs)(`p`,{className:`row wrap`,children:[e===`charges`&&!f&&y(`charges.write`)&&(0,_.jsxs)(`button`,{type:`button`,className:`primary`,disabled:w,onClick:()=>void j(N),children:[(0,_.jsx)(n,{name:`plus`}),` `,m(`empty.test_payment`)]}),!f&&!A&&y(`developers.write`)&&(0,_.jsxs)(`button`,{type:`button`,disabled:w,onClick:()=>void j(M),children:[(0,_.jsx)(n,{name:`key`}),` `,m(`first.make_key`)]}),(0,_.jsxs)(`a`,{className:`button`,href:`/docs`,target:`_blank`,rel:`noreferrer`,children:[(0,_.jsx)(n,{name:`link`}),` `,m(`api_docs`)]})]})]})}export{S as t};