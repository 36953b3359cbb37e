package sample

import "strings"

// Words for prose, roughly the frequent ones first. Whatever is drawn from here is
// made up: no person, firm or address is meant.

var nouns = strings.Fields(`
project file design update work version page time budget team client feedback logo website draft changes call app issue
code screen link video invoice contract milestone deadline week day thing question idea list document report image text
button header footer color font layout mockup prototype feature bug fix test server database table column query script
plugin theme template store product order cart checkout payment account user password login email newsletter campaign
audience keyword article blog post headline paragraph sentence translation glossary transcript subtitle recording audio
voice music intro outro scene shot frame animation illustration sketch palette texture model render character brand
guideline brief scope proposal estimate rate hour schedule calendar meeting agenda note summary spreadsheet chart graph
metric dashboard dataset pipeline cluster notebook classifier forecast survey interview persona wireframe flow menu icon
banner poster flyer brochure packaging label mug shirt catalog listing review rating comment reply ticket chat message
attachment folder drive archive backup branch commit merge release build deployment pipeline container image endpoint
token webhook payload request response header cookie session cache queue worker thread process memory log error warning
exception timeout retry migration schema index constraint backup domain certificate hosting subdomain redirect sitemap
robot crawler backlink ranking traffic bounce conversion funnel segment cohort retention churn revenue margin expense
receipt tax payroll ledger balance statement audit policy clause signature agreement license permit patent trademark
filing deposition translation manual guide tutorial lesson course quiz slide deck pitch investor valuation runway plan
roadmap backlog sprint story epic task subtask dependency blocker risk assumption constraint requirement specification
interface component module library package framework language compiler editor terminal command argument variable
function method class object array string number boolean pointer loop condition branch callback promise event listener
sensor board firmware circuit schematic enclosure drawing tolerance dimension material supplier sample batch shipment
warehouse inventory barcode scanner printer label route driver vehicle fleet booking guest room hotel flight itinerary
recipe ingredient menu kitchen restaurant patient clinic appointment prescription nurse doctor chart donor grant charity
volunteer student teacher school exam essay thesis chapter novel plot dialogue narrator publisher editor proofreader
tenant landlord lease listing property floorplan facade terrace kitchen bathroom window roof garden landscape survey
engine wheel brake battery charger cable adapter antenna router switch firewall gateway proxy tunnel packet port socket
`)

var verbs = strings.Fields(`
send check review update change make add fix finish start see get use need share upload download move remove replace keep
test run build deploy write read edit open close approve reject confirm schedule discuss explain show try look wait
deliver submit revise adjust align crop resize export import convert translate proofread record mix master render animate
draw sketch design prototype wireframe model sculpt print ship pack label order refund charge pay invoice track log
measure analyze compare estimate plan prioritize assign split merge rebase revert patch refactor document comment debug
profile optimize cache index query join filter sort aggregate migrate backup restore encrypt rotate revoke grant invite
onboard train coach mentor interview hire brief pitch present demo launch promote advertise target segment survey poll
publish post schedule moderate reply forward attach compress archive rename sync clone fork tag release roll scale tune
monitor alert escalate resolve reopen reproduce isolate simulate validate verify audit sign seal notarize file register
`)

var adjectives = strings.Fields(`
good new final small quick big same last next first better great full clean simple clear ready late early short long
different important urgent minor major blue red green dark light bright bold modern classic minimal professional friendly
playful elegant vintage flat rounded responsive mobile internal external public private secure broken missing extra
duplicate outdated current previous original corrected revised approved pending open closed active inactive empty
visible hidden transparent blurry sharp noisy loud quiet smooth slow fast cheap expensive reasonable monthly weekly daily
annual technical legal financial medical academic creative visual verbal written spoken native fluent local remote
global seasonal limited unlimited optional required nested recursive asynchronous idempotent stale fresh raw encoded
compressed encrypted signed anonymous verified trusted suspicious fragile robust portable reusable modular scalable
vertical horizontal diagonal narrow wide shallow deep thick thin heavy lightweight wooden metallic ceramic organic
synthetic acoustic digital analog seamless rough polished glossy matte waterproof adjustable foldable wireless quarterly
`)

var adverbs = strings.Fields(`
just also now already still really maybe probably actually soon again later today tomorrow exactly almost definitely
basically honestly slightly quickly carefully completely mostly usually sometimes never always finally currently
recently separately manually automatically hopefully apparently unfortunately gradually roughly especially precisely
temporarily eventually silently correctly twice together instead anyway overnight upfront`)

var people = strings.Fields(`
Anna Marco Priya John Olena Wei Fatima Carlos Yuki Sarah Ahmed Ivan Maria Tom Nina Raj Elena David Aisha Lucas Mei Omar
Sofia Jan Kateryna Daniel Chidi Ingrid Pavel Rosa Kwame Leila Mateo Hana Viktor Amara Diego Freya Arjun Zoe Samir Petra
Nadia Tariq Bianca Goran Ximena Lars Thandi Igor Paloma Ruben Svetlana Hugo Noor Emil Farah Janek Lucia Bao Esther Niko
Oksana Felipe Greta Hassan Irina Joao Kemal Lena Mila Nils Orla Pedro Quentin Rania Stefan Tala Ugo Vera Wanda Yara Zlatan`)

var firms = strings.Fields(`
Northwind Acorn Bluefin Cobalt Dovetail Everleaf Foxglove Granite Harbor Ironwood Juniper Kestrel Lumen Meridian Nimbus
Orchard Pinecrest Quartz Redwood Saltmarsh Tidewater Umber Verdant Willow Yarrow Zephyr Brightside Cloudberry Driftwood`)

var extensions = strings.Fields(`pdf docx png psd ai fig xlsx zip mp4 wav svg csv json txt sketch indd pptx jpg html py sql`)

var hosts = strings.Fields(`docs.example.com drive.example.net example.org/share figma.example files.example.io
staging.example.dev git.example.com/team meet.example.net boards.example.app cdn.example.com`)

var emoji = strings.Fields(`👍 🙂 😀 🎉 🙏 😅 🔥 ✅ ❌ 🚀 👀 💯 🤔 😢 ❤️ 👋 ⏰ 📎 🐛 ☕ 👩‍💻 🇺🇦 🏳️‍🌈 🧾`)

var greetings = []string{
	"Hi %P, ", "Hey %P, ", "Hello %P!\n\n", "Hi, ", "hey ", "Good morning %P, ", "Hello there, ", "Dear %P,\n\n", "hi %P! ", "Hi team, ",
}

var closings = []string{
	"\n\nThanks,\n%P", " Thanks!", " thanks %e", "\n\nBest regards,\n%P", " Let me know!", " Cheers, %P", " %e", "\n\nBest,\n%P\n%F", " Talk soon.",
	" Looking forward to it.",
}

var shorts = []string{
	"ok", "Ok thanks", "sounds good %e", "Yes", "no problem", "done %e", "sure, %t works", "got it, thank you", "%e", "thanks!", "great", "one sec",
	"Will do %t.", "perfect %e%e", "ok, I will %v it %t", "can you %v the %n?", "any news on the %n?", "see %l", "on it", "yep %d", "np",
	"%P?", "lgtm", "brb", "the %a one", "%#", "call at %c?", "agreed.", "hmm, let me %v", "just sent it", "Received, thanks %P",
}

// Sentences are put together from clauses, clauses from subjects, doings, objects
// and circumstances. What stands fixed between two words is kept short: real text
// repeats words, hardly ever half a line.
var sentences = []string{
	"%S.", "%S.", "%S.", "%S", "%S, %j %S.", "%S %j %S.", "%S, %j %S", "%S; %S.", "%S!", "%S - %S.", "%D, %S.", "%D %S.", "%D, %S, %j %S.",
	"%q %s %v %O?", "%q %s %v %O %x?", "%q %s %v %O, or %v %O?", "%Q?", "%Q, %P?", "Re %n: %S.", "ps %S", "%S (%S).", "%S... %S?",
	"1. %S\n2. %S\n3. %S\n", "- %O\n- %O: %a\n- %O, %m\n", "> %S\n\n%S.", "%O: %m, %O: %m.", "%P: %S", "*%a %n*: %S.", "%n/%n: %a",
	"%N, %N %j %N.", "%o %j %o: %S.", "%l", "%f, %f.", "%S %e",
}

var clauses = []string{
	"%s %V %O", "%s %V %O", "%s %V %O %x", "%s %V %O %x", "%s %V %O %x %x", "%s %b %a", "%s %b %d %a", "%s %b %a %x", "%s %b too %a to %v",
	"%O %b %a", "%O %b %p", "%O %b %p %x", "%v %O", "%v %O %x", "%d %v %O", "%g %O %b %a", "%O %V %O", "%s %V %O and %V %O",
	"%s %V that %O %b %a", "no %n %x", "%a %n", "%s said %s %V %O", "%O, %O and %O %b %p", "%s %V to %v %O", "%d %g %O", "%m %x",
}

var subjects = strings.Split("I|I|I|we|we|you|you|they|he|she|it|%P|%P|%P|the client|my %n|your %n|our %n|their %n|the %n|%F|someone|nobody|"+
	"everyone|the %a one|%P and I|%N|whoever %p it|%N|both of us|i|this %n|that|who|either %n|%P's %n", "|")

var doings = strings.Split("%p|%p|will %v|can %v|could %v|should %v|would %v|might %v|must %v|have %p|had %p|has %p|didn't %v|don't %v|won't %v|"+
	"can't %v|need to %v|want to %v|forgot to %v|tried to %v|plan to %v|keep %g|started %g|stopped %g|am %g|are %g|was %g|"+
	"%d %p|%d %v|never %p|like to %v|used to %v|asked %P to %v|got %p by|prefer %g|hope to %v|refuse to %v|know how to %v|just %p", "|")

var objects = strings.Split("the %n|the %n|the %N-%n|%N's %n|the %a %n|a %a %n|a %n|your %n|my %n|our %n|their %n|that %n|this %n|these %ns|those %ns|%# %ns|it|them|"+
	"some %ns|every %n|another %n|the %n %n|%n #%#|the %n for %F|the %n from %w|%P's %n|the %ns and %ns|both %ns|any %a %ns|the whole %n|%f|"+
	"the %n's %n|no %n|%N|the %N %n|%a %ns|which %n|the %d %a %n|more %ns|half the %n|what %s %p|order %o|version %#.%#", "|")

var circumstances = strings.Split("%t|%t|with %P|for %F|for the %n|in the %n|on the %n|at %c|because %s %V %O|so %s %V %O|before the %n|after %g|"+
	"without %O|instead of %g|from %w|by %g %O|under %m|like %O|if %s %V|when %s %V %O|until %t|as %a as the %n|via %l|in %f|again|too|"+
	"despite the %n|about %O|next to %O|around %m|per %n|using %N|while %g|unless %s %V|between %w and %w|over %O|than %O|to %O", "|")

var beings = strings.Split("is|is|was|are|were|looks|seems|feels|got|isn't|wasn't|stays|should be|will be|might be|sounds|has been|gets|became", "|")

var links = strings.Split("and|but|so|because|or|then|while|although|since|as|when|if|unless|yet|plus|which means|also|until|otherwise|whereas", "|")

var openers = strings.Split("Also|Btw|Ok|Well|So|Sorry|Yes|No|Actually|Hmm|Sure|Right|FYI|Just to confirm|Quick question|Update|One more thing|As discussed|"+
	"To be honest|Thanks %P|In short|For now|%P|By the way|Good news|Heads up|First|Second|Finally|Meanwhile|Honestly|Oh|Yep|Nope|Anyway|Note", "|")

var questions = strings.Split("can|could|should|will|would|did|do|does|how would|how do|why did|when can|where should|what if|may|must|how soon can|why would", "|")

var asks = strings.Split("any news on the %n|is the %n %a|what about %O|how many %ns|which %n do you prefer|did %P %v it|is %m ok|does %w work|"+
	"%t maybe|who %V %O|where is %f|is there a %a %n|what does %N mean|how much for %O|why is the %n %a|%a or %a|ready to %v|when is the %n", "|")

// Syllables of made-up names.
var syllables = strings.Fields(`ba be bi bo bra ca ce clo co cra da de di dor du el en er fa fen fi flo ga gen gi gra ha hel hi ho in ja jo ka kel ki
ko la lar le li lo lu ma mel mi mo mu na ne ni no nor o ol on pa pel pi po pri qua ra re ri ro ru sa se shi si so sta su ta te ti to tra tu
u ul un va ve vi vo wa we win xa xi ya yo za ze zi zo`)

var times = []string{
	"today", "tomorrow", "by tonight", "this week", "next week", "on %w", "at %c", "in %# minutes", "by end of day", "before %c", "after the %n",
	"over the weekend", "as soon as I can", "in an hour", "first thing tomorrow", "by %w noon",
}

var weekdays = strings.Fields(`Monday Tuesday Wednesday Thursday Friday Saturday Sunday`)

// Words of other languages, joined by spaces, or as they are where none are used.
var tongues = []struct {
	words []string
	space string
	end   string
}{
	{strings.Fields(`hola gracias proyecto archivo mañana diseño cliente reunión cambio página versión listo entrega precio
		semana revisar enviar tengo puedo necesito también porque cuando ahora mejor trabajo pago factura está bien el la los de que con`), " ", "."},
	{strings.Fields(`привет спасибо проект файл завтра дизайн заказчик встреча правки страница версия готово срок цена неделя
		проверить отправить могу нужно тоже потому когда сейчас лучше работа оплата счёт хорошо и в на по для`), " ", "."},
	{strings.Fields(`hallo danke Projekt Datei morgen Entwurf Kunde Besprechung Änderung Seite Fassung fertig Abgabe Preis Woche
		prüfen schicken kann brauche auch weil wenn jetzt besser Arbeit Zahlung Rechnung gut der die das und mit für größer`), " ", "."},
	{strings.Fields(`नमस्ते धन्यवाद परियोजना फ़ाइल कल डिज़ाइन ग्राहक बैठक बदलाव पृष्ठ संस्करण तैयार समय मूल्य सप्ताह भेजना जाँच काम भुगतान अच्छा है और के लिए`), " ", "।"},
	{strings.Fields(`مرحبا شكرا مشروع ملف غدا تصميم عميل اجتماع تعديل صفحة نسخة جاهز تسليم سعر أسبوع مراجعة إرسال أحتاج أيضا الآن أفضل عمل دفع فاتورة جيد في من على`), " ", "."},
	{strings.Fields(`你好 谢谢 项目 文件 明天 设计 客户 会议 修改 页面 版本 完成 交付 价格 这周 检查 发送 可以 需要 也 因为 现在 更好 工作 付款 发票 很好 的 了 我们`), "", "。"},
	{strings.Fields(`お世話になっております ありがとうございます 案件 ファイル 明日 デザイン お客様 打ち合わせ 修正 ページ 完了 納品 価格 今週 確認 送ります お願いします です 作業 請求書`), "", "。"},
	{strings.Fields(`olá obrigado projeto arquivo amanhã desenho cliente reunião mudança página versão pronto entrega preço semana
		revisar enviar posso preciso também porque quando agora melhor trabalho pagamento fatura bom não são o a os de que com`), " ", "."},
}

var snippets = []string{
	"```go\nfunc %i(%i string) (*%I, error) {\n\tif %i == \"\" {\n\t\treturn nil, fmt.Errorf(\"%n: no %n\")\n\t}\n\treturn %i.%I(ctx, %#)\n}\n```",
	"```python\ndef %i(%i, %i=%#):\n    for %i in %i:\n        if %i['%n'] > %#:\n            yield %i.%i(%i)\n```",
	"```sql\nSELECT %i, count(*) FROM %i\nWHERE %i_at >= '2026-%z-%z' AND %i <> '%n'\nGROUP BY 1 ORDER BY 2 DESC LIMIT %#;\n```",
	"```js\nconst %i = await fetch('https://%l', {headers: {'X-%I': '%o'}});\nif (!%i.ok) throw new Error(`%n ${%i.status}`);\n```",
	"```\n$ git log --oneline\n%h %p %n\n%h %v the %a %n\n%h Merge branch '%i/%i'\n```",
	"<div class=\"%i-%i %i\" id=\"%i%#\">\n  <span style=\"color:#%h\">%n</span>\n</div>",
	"{\"%i\": %#, \"%i\": \"%n\", \"%i\": [\"%o\", \"%h\"], \"at\": \"2026-%z-%zT%c:%zZ\"}",
}

var logLines = []string{
	"2026-%z-%zT%c:%z.%#Z INFO  [%i] %p %n id=%o took=%#ms\n",
	"2026-%z-%zT%c:%z.%#Z WARN  [%i] %n %a, will %v in %#s (attempt %#)\n",
	"2026-%z-%zT%c:%z.%#Z ERROR [%i] cannot %v %n %h: %a %n\n",
	"    at %i.%I.%i(%I.java:%#)\n",
	"  File \"/srv/%i/%i.py\", line %#, in %i\n    %i = %i(%i, %i=%#)\n",
}

var titles = []string{
	"%a %n", "%n %n v%#", "%F %n", "%I - %a %n", "%n (%a)", "Final %n for %F", "%w %n", "%n_%#_%a", "%P's %n, %a",
}

var searches = []string{
	"%n %n", "%a %n", "%a %n %n", "%n for %n", "%v %n", "hire %n expert", "%n %g", "need someone to %v %n", "%F",
}
