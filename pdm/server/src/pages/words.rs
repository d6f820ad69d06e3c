//! What pages say, in every language. A word that is missing in one language is a failing test, not an English page.

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lang {
    En,
    Ar,
}

impl Lang {
    pub(crate) const ALL: [Self; 2] = [Self::En, Self::Ar];

    /// Its tag (BCP 47).
    pub(crate) fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ar => "ar",
        }
    }

    /// The direction it is written in.
    pub(crate) fn dir(self) -> &'static str {
        match self {
            Self::En => "ltr",
            Self::Ar => "rtl",
        }
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ar => "العربية",
        }
    }

    /// The language of a tag.
    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', ';']).next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|lang| primary.eq_ignore_ascii_case(lang.tag()))
    }

    /// The first language of an Accept-Language header that we speak.
    pub(crate) fn accepted(header: &str) -> Option<Self> {
        header.split(',').find_map(Self::from_tag)
    }
}

/// A word by its key. An unknown key shows itself, which a test of the templates finds.
pub(crate) fn word(lang: Lang, key: &str) -> &str {
    let row = WORDS.binary_search_by(|row| row.0.cmp(key)).ok().map(|at| WORDS[at]);
    match (row, lang) {
        (Some(row), Lang::En) => row.1,
        (Some(row), Lang::Ar) => row.2,
        (None, _) => key,
    }
}

/// Sorted by key: English, Arabic.
#[rustfmt::skip]
pub(crate) const WORDS: &[(&str, &str, &str)] = &[
    ("accounts", "Account", "الحساب"),
    ("acknowledge", "Acknowledge", "إقرار بالعلم"),
    ("acknowledged", "Acknowledged until then by", "أُقرّ به حتى ذلك الوقت من"),
    ("actions", "Actions", "إجراءات"),
    ("active", "Active", "نشِط"),
    ("actor", "Who", "من"),
    ("address-hint", "The IPv4 address of the load balancer. With it the name goes into the DNS now; a provisioner usually does this.", "عنوان IPv4 لموازن الحمل. به يوضع الاسم في نظام أسماء النطاقات الآن؛ ويقوم بذلك عادةً نظام التجهيز."),
    ("admin", "Administration", "الإدارة"),
    ("again-after", "Try again after", "أعد المحاولة بعد"),
    ("age", "Since", "منذ"),
    ("algorithm", "Algorithm", "الخوارزمية"),
    ("all", "All", "الكل"),
    ("anchor", "Trust anchor", "مرساة الثقة"),
    ("answers", "Answers as desired", "إجابات كما هو مطلوب"),
    ("answers-with", "Answers with", "يجيب بـ"),
    ("as-meant", "as meant", "كما هو مطلوب"),
    ("at-the-parent", "Parent servers that delegate here", "خوادم النطاق الأب التي تفوّض إلينا"),
    ("attempts", "Attempts", "المحاولات"),
    ("audit", "Look now", "افحص الآن"),
    ("audit-log", "Audit log", "سجل التدقيق"),
    ("available", "is available", "متاح"),
    ("because-of", "explained by", "سببه"),
    ("brief-active", "✓ Works", "✓ يعمل"),
    ("brief-broken", "✗ Its proof failed", "✗ فشل إثباته"),
    ("brief-claimed", "Claimed", "مطلوب"),
    ("brief-drift", "≠ Differs from what is meant", "≠ يختلف عن المطلوب"),
    ("brief-freed", "Free", "متاح"),
    ("brief-quarantined", "Kept from others", "محجوب عن الآخرين"),
    ("brief-releasing", "Going down", "قيد الإزالة"),
    ("brief-reserved", "Held", "محجوز"),
    ("brief-suspended", "Suspended", "معلَّق"),
    ("brief-underway", "Coming into the DNS", "قيد الإضافة"),
    ("brief-waits", "☞ Waits for somebody", "☞ ينتظر شخصًا"),
    ("bring-api", "Bring it, my registrar's API changes the DNS", "أحضره وتعدّل واجهة المسجل DNS"),
    ("bring-manual", "Bring it, I change the DNS myself", "أحضره وسأعدّل DNS بنفسي"),
    ("busy", "Working", "قيد العمل"),
    ("cancel", "Cancel", "إلغاء"),
    ("cannot-here", "Which ones cannot, and why", "من لا يستطيع ذلك ولماذا"),
    ("carry-accept", "There may be more, and I accept that", "قد يوجد المزيد، وأنا أقبل ذلك"),
    ("carry-accepted", "accepted as it is", "مقبول كما هو"),
    ("carry-file", "Paste the zone file that your old DNS provider exports", "ألصق ملف المنطقة الذي يصدّره مزوّد DNS السابق"),
    ("carry-give", "Give the zone as a file", "قدّم المنطقة كملف"),
    ("carry-incomplete", "There may be more records than were found: upload the zone, or accept it.", "قد توجد سجلات أكثر مما عُثر عليه: ارفع ملف المنطقة أو اقبل ذلك."),
    ("carry-left-out", "Not carried over", "لم تُنقل"),
    ("carry-locked", "in the way of the move", "يعيق النقل"),
    ("carry-over", "carried over", "نُقل"),
    ("carry-survey", "Found by asking for usual names.", "عُثر عليها بالسؤال عن الأسماء المعتادة."),
    ("carry-taken", "goes to the load balancers", "يذهب إلى موازنات الحمل"),
    ("carry-title", "Records that move with the domain", "السجلات التي تنتقل مع النطاق"),
    ("carry-transfer", "By a transfer of the whole zone.", "بنقل المنطقة كاملةً."),
    ("carry-upload", "From an uploaded file.", "من ملف مرفوع."),
    ("carry-waive", "May differ", "يجوز أن يختلف"),
    ("certificates", "Certificates", "الشهادات"),
    ("chain", "Chain of trust", "سلسلة الثقة"),
    ("challenge-names", "If nobody uses the domain yet, there is another proof: delegate it to these nameservers. The names were issued for this claim alone.", "إن لم يكن النطاق مستخدماً بعد فهناك إثبات آخر: فوّضه إلى خوادم الأسماء هذه، وقد صدرت أسماؤها لهذا الطلب وحده."),
    ("challenge-text", "Publish this TXT record at your DNS host. It proves that the domain is yours; nothing else changes before it is seen at every nameserver of the domain.", "انشر سجل TXT هذا لدى مستضيف DNS لديك. فهو يثبت أن النطاق لك، ولا يتغير شيء قبل رؤيته في جميع خوادم أسماء النطاق."),
    ("change", "Change", "تغيير"),
    ("check-now", "Check now", "افحص الآن"),
    ("checks-found", "found something", "وجدت شيئًا"),
    ("checks-not-asked", "could not be asked", "تعذّر سؤالها"),
    ("checks-passed", "checks passed", "فحوص ناجحة"),
    ("checks-skipped", "do not apply", "لا تنطبق"),
    ("choose", "Choose", "اختر"),
    ("command", "The same on the command line", "الأمر نفسه في سطر الأوامر"),
    ("commit", "Put it into the DNS", "ضعه في نظام أسماء النطاقات"),
    ("compared-with", "Compared with", "مقارنةً بـ"),
    ("computed", "computed by the nameserver", "يحسبه خادم الأسماء"),
    ("conditions", "Conditions", "الحالات"),
    ("copied", "Copied", "تم النسخ"),
    ("copy", "Copy", "نسخ"),
    ("copy-all", "Copy all", "انسخ الكل"),
    ("counts", "Names by phase", "الأسماء حسب المرحلة"),
    ("credential-again", "The registrar's credential is needed", "مطلوب بيانات اعتماد المسجل"),
    ("credential-check", "Check this credential (nothing is written)", "تحقّق من بيانات الاعتماد (لا يُكتب شيء)"),
    ("credential-ends", "The credential ends", "تنتهي بيانات الاعتماد"),
    ("credential-give", "Give it, and go on", "أرسلها وتابع"),
    ("credential-good", "This credential is good for", "بيانات الاعتماد صالحة للنطاق"),
    ("days", "Days", "أيام"),
    ("delegation", "Delegation", "التفويض"),
    ("detail", "Detail", "التفاصيل"),
    ("difference-found", "The difference, as the audit found it", "الفرق كما وجده التدقيق"),
    ("difference-none", "PowerDNS holds what is meant; a repair proves it again and looks at the delegation.", "يحتفظ PowerDNS بما هو مطلوب؛ سيثبت الإصلاح ذلك مجددًا ويفحص التفويض."),
    ("difference-now", "What would be written into the zone now", "ما سيُكتب في المنطقة الآن"),
    ("difference-unknown", "The audit could not write it down line by line.", "تعذّر على التدقيق كتابته سطرًا سطرًا."),
    ("differs", "differs", "مختلف"),
    ("dnssec", "DNSSEC", "DNSSEC"),
    ("dnssec-bogus", "Broken now: validating resolvers answer nothing.", "معطوب الآن: المحلّلات المتحققة لا تجيب."),
    ("dnssec-insecure", "Not signed; the move signs it.", "غير موقّع؛ وسيوقّعه النقل."),
    ("dnssec-secure", "Signed. Its DS goes out first, and is waited for.", "موقّع. يُزال سجل DS أولًا ثم يُنتظر."),
    ("down", "down", "متوقف"),
    ("ds", "DS", "DS"),
    ("ds-as-dnskey", "as DNSKEY", "بصيغة DNSKEY"),
    ("ds-as-ds", "as DS records", "بصيغة DS"),
    ("ds-at-parent", "DS seen at the parent", "سجل DS المرصود لدى النطاق الأب"),
    ("ds-for-registrar", "DS to hand to the pool's registrar", "سجل DS لتسليمه إلى مسجل النطاق"),
    ("ds-scanned", "the parent reads CDS by itself", "يقرأ النطاق الأب CDS تلقائيًا"),
    ("egress", "Where the registrar wants to know who calls, allow", "حيث يطلب المسجل معرفة المتصل، اسمح لـ"),
    ("error", "That did not work", "لم ينجح ذلك"),
    ("evidence", "Evidence", "الأدلة"),
    ("evidence-file", "Download signed evidence", "نزّل الأدلة الموقّعة"),
    ("extend", "Extend", "تمديد"),
    ("failover", "Failover", "تجاوز الأعطال"),
    ("filter", "Filter", "تصفية"),
    ("find", "Find", "بحث"),
    ("findings", "Findings", "النتائج"),
    ("fix", "Let PDM mend it", "دع PDM يصلحه"),
    ("fix-is", "What mends it", "ما يصلحه"),
    ("flags", "Flags", "الأعلام"),
    ("flips", "Changes of mind", "مرات تغيّر الإجابة"),
    ("frame-credentials", "A registrar's credential is not given inside another page. Open this name in a window of its own to go on.", "لا تُعطى بيانات اعتماد المسجل داخل صفحة أخرى. افتح هذا الاسم في نافذة مستقلة للمتابعة."),
    ("frame-over", "This view is over. Load the page around it again.", "انتهت صلاحية هذا العرض. أعد تحميل الصفحة المحيطة به."),
    ("frame-script", "Inside another page this needs JavaScript; the wizard has a page of its own that does not.", "يتطلب هذا تفعيل JavaScript داخل صفحة أخرى؛ وللمعالج صفحة مستقلة لا تتطلبه."),
    ("freeze", "Freeze", "تجميد"),
    ("frozen", "Frozen", "مجمّد"),
    ("go-on", "Go on", "تابع"),
    ("held-until", "Held until", "محجوز حتى"),
    ("hold", "Hold rolls", "أوقف تبديل المفاتيح"),
    ("hosted-at", "at", "لدى"),
    ("intent", "Intended", "المطلوب"),
    ("key-tag", "Key tag", "وسم المفتاح"),
    ("keys", "Keys", "المفاتيح"),
    ("kind", "Kind", "النوع"),
    ("language", "Language", "اللغة"),
    ("later", "Later", "لاحقًا"),
    ("lines", "Lines to copy", "أسطر للنسخ"),
    ("link-for-admin", "Send to my DNS admin", "أرسل إلى مسؤول DNS"),
    ("link-lasts", "This link shows how the name stands and nothing else. It ends at", "يعرض هذا الرابط حالة الاسم فقط. ينتهي في"),
    ("live", "Live", "مباشر"),
    ("live-log", "What happens", "ما يحدث"),
    ("live-preview", "Your console will be at", "ستكون وحدة التحكم في"),
    ("log-broken", "The log does not hold:", "السجل غير سليم:"),
    ("log-holds", "The log holds.", "السجل سليم."),
    ("log-not-whole", "It is longer than a page waits for; verify the rest on the command line.", "السجل أطول مما تنتظره الصفحة؛ تحقّق من البقية في سطر الأوامر."),
    ("look-again", "Next look", "الفحص التالي"),
    ("look-at-domain", "Look at this domain", "افحص هذا النطاق"),
    ("looked", "Last look", "آخر فحص"),
    ("mail", "Mail", "البريد"),
    ("may-be-brought", "may be brought", "يمكن إحضاره"),
    ("mode", "Mode", "الوضع"),
    ("mode-byo-api", "A domain of yours, changed by your registrar's API", "نطاق تملكه، يُعدَّل عبر واجهة المسجل"),
    ("mode-byo-api-hint", "Your registrar's API writes the delegation for you. Before anything is written you see what it can do, and what will happen.", "تكتب واجهة المسجل التفويض نيابة عنك. سترى قبل أي كتابة ما يمكنها فعله وما سيحدث."),
    ("mode-byo-manual", "A domain of yours, changed by hand", "نطاق تملكه، يُعدَّل يدويًا"),
    ("mode-byo-manual-hint", "You get the exact lines to enter, each when it is safe; PDM watches every parent server and goes on by itself.", "تحصل على الأسطر الدقيقة لإدخالها، كلٌّ في وقته الآمن، ويراقب PDM جميع خوادم النطاق الأب ويواصل تلقائيًا."),
    ("mode-pool", "A name from our pools", "اسم من مجموعاتنا"),
    ("mode-pool-hint", "A name below one of ours. It is yours for a while at once, and needs nobody else.", "اسم تحت أحد نطاقاتنا. يُحجز لك فورًا لمدة ولا يحتاج إلى أحد غيرك."),
    ("name", "Name", "الاسم"),
    ("name-hint", "One word for a name from our pools, or a domain of yours. An address from the browser will do.", "كلمة واحدة لاسم من مجموعاتنا، أو نطاق تملكه. ويكفي لصق عنوان من المتصفح."),
    ("name-wanted", "Which name shall it be?", "ما الاسم المطلوب؟"),
    ("names", "Names", "الأسماء"),
    ("names-below", "Names inside a domain", "أسماء داخل نطاق"),
    ("nameserver", "Nameserver", "خادم الأسماء"),
    ("nameservers", "Nameservers", "خوادم الأسماء"),
    ("next", "Next", "التالي"),
    ("no-audit", "Nobody has audited this name yet.", "لم يدقّق أحد هذا الاسم بعد."),
    ("no-javascript", "This page looks again by itself every few seconds.", "تُحدَّث هذه الصفحة تلقائيًا كل بضع ثوانٍ."),
    ("no-limit", "No limit", "بلا حد"),
    ("no-names", "No name is like that.", "لا يوجد اسم كهذا."),
    ("no-pools", "No pool is set up for you here.", "لم تُضبط لك مجموعة هنا."),
    ("no-registrars", "No registrar is set up here.", "لم يُضبط أي مسجل هنا."),
    ("none", "None", "لا شيء"),
    ("not-asked", "could not be asked", "تعذّر سؤاله"),
    ("not-available", "is not available", "غير متاح"),
    ("not-before", "Not before", "ليس قبل"),
    ("nothing-waits", "Nothing is under way, and nothing waits.", "لا شيء قيد التنفيذ ولا شيء ينتظر."),
    ("ns-now", "Nameservers now", "خوادم الأسماء الآن"),
    ("ns-then", "Nameservers afterwards", "خوادم الأسماء بعد ذلك"),
    ("observed", "In PowerDNS", "في PowerDNS"),
    ("operations", "Operations", "العمليات"),
    ("opinions", "What each nameserver says", "ما يقوله كل خادم أسماء"),
    ("own-window", "Open it in a window of its own", "افتحه في نافذة مستقلة"),
    ("owner", "Owner", "المالك"),
    ("ownership", "Ownership", "الملكية"),
    ("parent-zone", "Zone that delegates it", "المنطقة التي تفوّضه"),
    ("passport", "What is seen of this domain", "ما يُرى من هذا النطاق"),
    ("phase", "Phase", "المرحلة"),
    ("plan", "The way, with its times", "الخطة بمواعيدها"),
    ("plan-fix", "What happens: an ordinary repair. PDM looks at the zone, at the delegation and at every nameserver, writes what differs from what is meant, and proves the result. Names and records that are not PDM's are left alone.", "ما سيحدث: إصلاح عادي. يفحص PDM المنطقة والتفويض وكل خادم أسماء، ويكتب ما يختلف عن المطلوب، ثم يثبت النتيجة. تُترك الأسماء والسجلات التي لا تخص PDM كما هي."),
    ("plan-nothing", "Everything is as it should be.", "كل شيء كما ينبغي."),
    ("plan-release", "What happens: the DS goes out, the time that caches may hold it is waited out, then NS and zone go out together. Afterwards the name is kept from other owners for the time of its quarantine. Clients lose the name at once.", "ما سيحدث: يُزال سجل DS، ثم يُنتظر الوقت الذي قد تحتفظ به الذاكرات المؤقتة، ثم يُزال NS والمنطقة معًا. بعد ذلك يُحجب الاسم عن المالكين الآخرين طوال مدة الحجر. يفقد العملاء الاسم فورًا."),
    ("plan-roll", "What happens: new keys come in and old ones go out, stage by stage; each stage waits until no cache holds what was before, so no validating resolver sees a broken name. Only an emergency replaces every key at once, as fast as is safe.", "ما سيحدث: تدخل مفاتيح جديدة وتخرج القديمة مرحلةً بعد مرحلة، وتنتظر كل مرحلة حتى لا تحتفظ أي ذاكرة مؤقتة بما سبق، فلا يرى أي محلّل متحقق اسمًا معطوبًا. حالة الطوارئ وحدها تبدّل كل المفاتيح معًا بأسرع ما يسمح به الأمان."),
    ("plan-suspend", "What happens: the six names stop answering; the zone, its keys and its delegation stay, and the name stays with its owner.", "ما سيحدث: تتوقف الأسماء الستة عن الرد، وتبقى المنطقة ومفاتيحها وتفويضها، ويبقى الاسم لمالكه."),
    ("pool", "Pool", "المجموعة"),
    ("pools", "Pools", "المجموعات"),
    ("psl", "Public suffix list", "قائمة اللواحق العامة"),
    ("psl-no", "Not in the list: browsers let one Sovereign set cookies for another.", "ليس في القائمة: تسمح المتصفحات لسيادي بضبط ملفات ارتباط لآخر."),
    ("psl-yes", "It is in the list: browsers keep Sovereigns apart.", "موجود في القائمة: تفصل المتصفحات بين السياديين."),
    ("quarantined-until", "Kept from other owners until", "محجوب عن المالكين الآخرين حتى"),
    ("questions", "questions", "أسئلة"),
    ("queue", "Changes of delegations that wait", "تغييرات التفويض المنتظرة"),
    ("quota", "Quota of an owner", "حصة المالك"),
    ("reason", "Reason", "السبب"),
    ("receipt", "Receipt of the last proof", "إيصال آخر إثبات"),
    ("recipe", "The least that the credential must be able to do", "أقل ما يجب أن تتيحه بيانات الاعتماد"),
    ("records", "Records", "السجلات"),
    ("registered-domain", "Registered domain", "النطاق المسجَّل"),
    ("registrar", "Registrar", "المسجل"),
    ("registration-ends", "The registration ends", "ينتهي التسجيل"),
    ("release", "Release this name", "حرّر هذا الاسم"),
    ("report", "Report", "التقرير"),
    ("report-file", "Download the report", "نزّل التقرير"),
    ("reserve", "Hold this name", "احجز هذا الاسم"),
    ("result", "Result", "النتيجة"),
    ("resume", "Resume", "استئناف"),
    ("retry", "Do not wait, try now", "لا تنتظر، حاول الآن"),
    ("role", "Role", "الدور"),
    ("roll", "Roll keys", "بدّل المفاتيح"),
    ("roll-asked", "Asked for", "مطلوب"),
    ("roll-last", "Last roll", "آخر تبديل"),
    ("roll-now", "Roll under way", "تبديل جارٍ"),
    ("says", "Says", "يقول"),
    ("score", "score", "الدرجة"),
    ("search", "Search names", "ابحث في الأسماء"),
    ("served", "Served", "المُجاب به"),
    ("sign-in", "Sign in", "تسجيل الدخول"),
    ("sign-in-hint", "Paste an access token. The one that pdm up made is in admin.token, in its state directory.", "ألصق رمز وصول. الرمز الذي أنشأه pdm up موجود في admin.token داخل مجلد الحالة."),
    ("sign-in-issuer", "Sign in with your organization's account", "سجّل الدخول بحساب مؤسستك"),
    ("sign-in-issuer-away", "The sign-in page of your organization does not answer; try again, or use a token.", "صفحة تسجيل الدخول لمؤسستك لا تستجيب؛ أعد المحاولة أو استخدم رمزًا."),
    ("sign-in-no-role", "You are known, but you have no role here. Ask the operator for one.", "هويتك معروفة لكن ليس لك دور هنا. اطلب دورًا من المشغّل."),
    ("sign-in-over", "This sign-in is over or was not of this browser; begin again.", "انتهت محاولة تسجيل الدخول هذه أو لم تكن من هذا المتصفح؛ ابدأ من جديد."),
    ("sign-in-used", "This link was used, or its time is over. Sign in with a token.", "استُخدم هذا الرابط أو انتهت صلاحيته. سجّل الدخول برمز."),
    ("sign-in-wrong", "This token is not known, or its time is over.", "هذا الرمز غير معروف أو انتهت صلاحيته."),
    ("sign-out", "Sign out", "تسجيل الخروج"),
    ("sign-out-issuer", "Sign out of your organization's account too", "سجّل الخروج من حساب مؤسستك أيضًا"),
    ("signatures-until", "Signatures hold until", "التواقيع صالحة حتى"),
    ("signed-in", "You are signed in.", "تم تسجيل دخولك."),
    ("signed-out", "You are signed out here.", "تم تسجيل خروجك هنا."),
    ("signs", "Signs", "يوقّع"),
    ("skip", "Skip to the content", "انتقل إلى المحتوى"),
    ("sovereign", "Sovereign", "السيادي"),
    ("sovereigns", "Sovereigns", "السياديون"),
    ("speed", "Speed", "السرعة"),
    ("speed-fast", "at once", "فورًا"),
    ("speed-slow", "the registrar works on it for a while; PDM follows", "يعمل المسجل عليه لبعض الوقت ويتابعه PDM"),
    ("start", "Back to the start", "العودة إلى البداية"),
    ("state-broken", "Not as it should be", "ليس كما ينبغي"),
    ("state-done", "Done", "تم"),
    ("state-gone", "Given back", "أُعيد"),
    ("state-later", "Later", "لاحقًا"),
    ("state-unknown", "Not seen from here", "لا يُرى من هنا"),
    ("state-working", "Under way", "قيد التنفيذ"),
    ("state-yours", "Somebody must act", "يتطلب تدخّل شخص"),
    ("status", "Status", "الحالة"),
    ("steps", "Steps", "الخطوات"),
    ("suggestions", "Free and close", "أسماء قريبة متاحة"),
    ("suspend", "Suspend", "تعليق"),
    ("take-back", "Take it back", "تراجع عن الإقرار"),
    ("target", "Load balancers", "موازنات الحمل"),
    ("time", "Time", "الوقت"),
    ("time-line", "Time line", "الخط الزمني"),
    ("token", "Access token", "رمز الوصول"),
    ("transport", "Transport", "النقل"),
    ("truth", "Truth table: what clients get, whichever regions are up", "جدول الحقيقة: ما يحصل عليه العملاء حسب المناطق العاملة"),
    ("ttl", "TTL", "TTL"),
    ("type", "Type", "النوع"),
    ("type-the-name", "Type the whole name to confirm", "اكتب الاسم كاملًا للتأكيد"),
    ("type-the-name-wrong", "The name that was typed is not this one; nothing was changed.", "الاسم المكتوب ليس هذا الاسم؛ لم يتغير شيء."),
    ("understood", "Understood", "فُهم"),
    ("undo-impossible", "The servers before do not answer: there is no way back yet.", "الخوادم السابقة لا تجيب: لا طريق للعودة بعد."),
    ("undo-possible", "The way back is open.", "طريق العودة مفتوح."),
    ("undo-until", "At once until", "فورًا حتى"),
    ("unhold", "Let rolls go on", "تابع تبديل المفاتيح"),
    ("up", "up", "يعمل"),
    ("verdict-active", "This name works: every nameserver answered as it should, and the chain of trust holds.", "هذا الاسم يعمل: أجاب كل خادم أسماء كما ينبغي وسلسلة الثقة سليمة."),
    ("verdict-broken", "This name is in use, but its last proof failed. See what is lacking below.", "هذا الاسم مستخدم، لكن آخر إثبات له فشل. انظر ما ينقص أدناه."),
    ("verdict-claimed", "This domain is claimed. It counts once its owner has proved it.", "طُلب هذا النطاق. ويُعتمد بعد أن يثبت مالكه ملكيته."),
    ("verdict-drift", "This name works, but something in its zone is not as PDM wrote it.", "هذا الاسم يعمل، لكن شيئًا في منطقته ليس كما كتبه PDM."),
    ("verdict-freed", "This name is free.", "هذا الاسم متاح."),
    ("verdict-quarantined", "This name was released. It is kept from other owners for a while.", "حُرِّر هذا الاسم. وهو محجوب عن المالكين الآخرين لفترة."),
    ("verdict-releasing", "This name is being taken down in the safe order.", "يُزال هذا الاسم بالترتيب الآمن."),
    ("verdict-reserved", "This name is held. The DNS knows nothing of it yet.", "هذا الاسم محجوز. لا يعرف عنه نظام أسماء النطاقات شيئًا بعد."),
    ("verdict-suspended", "This name is suspended: it answers nothing, and stays with its owner.", "هذا الاسم معلَّق: لا يجيب بشيء ويبقى لمالكه."),
    ("verdict-underway", "This name is being put into the DNS.", "يوضع هذا الاسم في نظام أسماء النطاقات."),
    ("verdict-waits", "This name waits for somebody. See who and for what below.", "ينتظر هذا الاسم شخصًا. انظر من وما المطلوب أدناه."),
    ("verify-log", "Verify the whole log", "تحقّق من السجل كله"),
    ("waits-for", "Waits for", "ينتظر"),
    ("way-back", "The way back", "طريق العودة"),
    ("what", "What", "ماذا"),
    ("what-changed", "What changed", "ما الذي تغيّر"),
    ("where-to-click", "Where to click at your registrar", "أين تجد ذلك لدى مسجّل نطاقك"),
    ("who-acts", "Who must act", "من عليه التصرف"),
    ("who-caller", "The owner", "المالك"),
    ("who-nobody", "Nobody; it ends by itself", "لا أحد؛ ينتهي تلقائيًا"),
    ("who-operator", "The operator", "المشغّل"),
    ("who-you", "You", "أنت"),
    ("whole-domain", "Type a whole domain of yours, such as acme.com.", "اكتب نطاقًا كاملًا تملكه، مثل acme.com."),
    ("wizard", "Domain step", "خطوة النطاق"),
    ("your-turn", "Your turn", "دورك"),
    ("zone", "Zone", "المنطقة"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        for pair in WORDS.windows(2) {
            assert!(pair[0].0 < pair[1].0, "{} stands before {}", pair[0].0, pair[1].0);
        }
        for (key, en, ar) in WORDS {
            assert!(!en.is_empty() && !ar.is_empty(), "{key}");
        }
    }

    #[test]
    fn every_word_of_a_template_is_in_the_table() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        for file in std::fs::read_dir(dir).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for rest in text.split("c.t(\"").skip(1) {
                let key = rest.split('"').next().unwrap();
                assert!(WORDS.iter().any(|row| row.0 == key), "{key}");
            }
        }
    }

    #[test]
    fn the_first_language_that_we_speak_is_taken() {
        assert_eq!(Lang::accepted("fr-CH, ar;q=0.9, en;q=0.8"), Some(Lang::Ar));
        assert_eq!(Lang::accepted("en-GB"), Some(Lang::En));
        assert_eq!(Lang::accepted("fr"), None);
    }
}
