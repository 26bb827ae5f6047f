import{r as e}from"./rolldown-runtime.js";import{$ as t,I as n,L as r,N as i,T as a,U as o,V as s,a as c,et as l,l as u,lt as d,ut as f}from"./main.js";import{G as p,H as m,u as h}from"./begin.js";var g=e(f(),1),_=d();function v(e,t,n){let r=`--amount ${s(1e3,t)} --currency ${t}`;switch(e){case`charges`:{let e=n?`tok_…`:`tok_ok`;return{body:{amount:1e3,currency:t,provider:`card`,card:{token:e}},command:`giro charges create ${r} --card-token ${e}`}}case`refunds`:return{body:{charge:`ch_…`,amount:500},command:`giro refunds create ch_… --amount 5.00`};case`payouts`:return{body:{amount:1e3,currency:`brl`,provider:`bank`,bank:{method:`pix`,key:`maria@example.com`},recipient:{name:`Maria`}},command:`giro payouts create --amount 10.00 --currency brl --pix-key maria@example.com --name Maria`};case`transfers`:return{body:{amount:1e3,currency:t,destination:`acct_…`},command:`giro transfers create ${r} --to acct_…`};default:return{body:{name:`Maria`,email:`maria@example.com`},command:`giro customers create --name Maria --email maria@example.com`}}}var y=e=>e.replace(/(^|_)(.)/g,(e,t,n)=>n.toUpperCase());function b(e,t){let n={card:`Card`,bank:`Bank`,recipient:`Party`};return`&client.${e}{${Object.entries(t).map(([e,t])=>`${y(e)}: ${typeof t==`object`?b(n[e],t):JSON.stringify(t)}`).join(`, `)}}`}function x(e,t,n){let r=y(e.slice(0,-1));return`package main

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
`}function S({kind:e,children:s}){let{merchant:d,live:f}=r(),y=n(),b=a(),[S,C]=(0,g.useState)(),[w,T]=(0,g.useState)(!1),[E,D]=(0,g.useState)(),{body:O,command:k}=v(e,(d.currency??`usd`).toLowerCase(),f),A=S?.secret,j=async e=>{T(!0),D(void 0),await e().catch(D),T(!1)},M=async()=>{let e=await p(`/v1/api_keys`,[],{name:h(`first.key_name`),expires_at:Math.floor(Date.now()/1e3)+3600},crypto.randomUUID());C(e.data),l(`/v1/api_keys`)},N=async()=>{let e=await p(`/v1/charges`,[],O,crypto.randomUUID());l(`/v1/charges`,`/v1/balances`,`/v1/figures`),b(`/payments/`+e.data.id)};return(0,_.jsxs)(`div`,{className:`first`,children:[(0,_.jsx)(`p`,{children:s}),(0,_.jsxs)(`div`,{children:[(0,_.jsx)(`p`,{className:`muted small`,children:h(`first.http`)}),(0,_.jsx)(c,{text:m(`POST`,`/v1/`+e,void 0,O,A),label:h(`request`)})]}),(0,_.jsxs)(`div`,{children:[(0,_.jsx)(`p`,{className:`muted small`,children:h(`first.command`)}),(0,_.jsx)(c,{text:`${A?`GIRO_API_KEY=${A} `:``}GIRO_URL=${location.origin} \\\n  ${k}`,label:h(`command`)})]}),(0,_.jsxs)(`details`,{children:[(0,_.jsx)(`summary`,{children:h(`first.go`)}),(0,_.jsx)(c,{text:x(e,O,A),label:h(`first.go`)})]}),A&&(0,_.jsxs)(`p`,{className:`ok`,role:`status`,children:[(0,_.jsx)(i,{name:`key`,size:14}),` `,h(`first.key_made`,{at:t(o(S.expires_at),`clock`)})]}),E!==void 0&&(0,_.jsx)(u,{error:E}),(0,_.jsxs)(`p`,{className:`row wrap`,children:[e===`charges`&&!f&&y(`charges.write`)&&(0,_.jsxs)(`button`,{type:`button`,className:`primary`,disabled:w,onClick:()=>void j(N),children:[(0,_.jsx)(i,{name:`plus`}),` `,h(`empty.test_payment`)]}),!f&&!A&&y(`developers.write`)&&(0,_.jsxs)(`button`,{type:`button`,disabled:w,onClick:()=>void j(M),children:[(0,_.jsx)(i,{name:`key`}),` `,h(`first.make_key`)]}),(0,_.jsxs)(`a`,{className:`button`,href:`/docs`,target:`_blank`,rel:`noreferrer`,children:[(0,_.jsx)(i,{name:`link`}),` `,h(`api_docs`)]})]})]})}export{S as t};