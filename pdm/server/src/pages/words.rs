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
    ("actions", "Actions", "إجراءات"),
    ("active", "Active", "نشِط"),
    ("actor", "Who", "من"),
    ("address-hint", "Optional: the address of the load balancer, to put the name into the DNS now. A provisioner usually does this.", "اختياري: عنوان موازن الحمل لوضع الاسم في نظام أسماء النطاقات الآن. يقوم بذلك عادةً نظام التجهيز."),
    ("admin", "Administration", "الإدارة"),
    ("age", "Since", "منذ"),
    ("all", "All", "الكل"),
    ("anchor", "Trust anchor", "مرساة الثقة"),
    ("answers", "Answers as desired", "إجابات كما هو مطلوب"),
    ("at-the-parent", "Parent servers that delegate here", "خوادم النطاق الأب التي تفوّض إلينا"),
    ("attempts", "Attempts", "المحاولات"),
    ("audit-log", "Audit log", "سجل التدقيق"),
    ("available", "is available", "متاح"),
    ("bring", "Bring this domain", "أحضر هذا النطاق"),
    ("busy", "Working", "قيد العمل"),
    ("cancel", "Cancel", "إلغاء"),
    ("certificates", "Certificates", "الشهادات"),
    ("chain", "Chain of trust", "سلسلة الثقة"),
    ("challenge-text", "Publish this TXT record at your DNS host. It proves that the domain is yours; nothing else changes before it is seen at every nameserver of the domain.", "انشر سجل TXT هذا لدى مستضيف DNS لديك. فهو يثبت أن النطاق لك، ولا يتغير شيء قبل رؤيته في جميع خوادم أسماء النطاق."),
    ("change", "Change", "تغيير"),
    ("check-now", "Check now", "افحص الآن"),
    ("choose", "Choose", "اختر"),
    ("command", "The same on the command line", "الأمر نفسه في سطر الأوامر"),
    ("commit", "Put it into the DNS", "ضعه في نظام أسماء النطاقات"),
    ("conditions", "Conditions", "الحالات"),
    ("copied", "Copied", "تم النسخ"),
    ("copy", "Copy", "نسخ"),
    ("counts", "Names by phase", "الأسماء حسب المرحلة"),
    ("delegation", "Delegation", "التفويض"),
    ("detail", "Detail", "التفاصيل"),
    ("dnssec", "DNSSEC", "DNSSEC"),
    ("ds", "DS", "DS"),
    ("ds-for-registrar", "DS to hand to the pool's registrar", "سجل DS لتسليمه إلى مسجل النطاق"),
    ("error", "That did not work", "لم ينجح ذلك"),
    ("extend", "Extend", "تمديد"),
    ("filter", "Filter", "تصفية"),
    ("find", "Find", "بحث"),
    ("flags", "Flags", "الأعلام"),
    ("freeze", "Freeze", "تجميد"),
    ("frozen", "Frozen", "مجمّد"),
    ("held-until", "Held until", "محجوز حتى"),
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
    ("live-preview", "Your console will be at", "ستكون وحدة التحكم في"),
    ("look-again", "Next look", "الفحص التالي"),
    ("looked", "Last look", "آخر فحص"),
    ("mode", "Mode", "الوضع"),
    ("mode-byo-api", "A domain of yours, changed by your registrar's API", "نطاق تملكه، يُعدَّل عبر واجهة المسجل"),
    ("mode-byo-api-hint", "Your registrar's API writes the delegation for you. Before anything is written you see what it can do, and what will happen.", "تكتب واجهة المسجل التفويض نيابة عنك. سترى قبل أي كتابة ما يمكنها فعله وما سيحدث."),
    ("mode-byo-manual", "A domain of yours, changed by hand", "نطاق تملكه، يُعدَّل يدويًا"),
    ("mode-byo-manual-hint", "You get the exact lines to enter, each when it is safe; PDM watches every parent server and goes on by itself.", "تحصل على الأسطر الدقيقة لإدخالها، كلٌّ في وقته الآمن، ويراقب PDM جميع خوادم النطاق الأب ويواصل تلقائيًا."),
    ("mode-pool", "A name from our pools", "اسم من مجموعاتنا"),
    ("name", "Name", "الاسم"),
    ("name-wanted", "Which name shall it be?", "ما الاسم المطلوب؟"),
    ("names", "Names", "الأسماء"),
    ("nameserver", "Nameserver", "خادم الأسماء"),
    ("nameservers", "Nameservers", "خوادم الأسماء"),
    ("next", "Next", "التالي"),
    ("no-javascript", "This page looks again by itself every few seconds.", "تُحدَّث هذه الصفحة تلقائيًا كل بضع ثوانٍ."),
    ("no-registrars", "No registrar is set up here.", "لم يُضبط أي مسجل هنا."),
    ("none", "None", "لا شيء"),
    ("not-asked", "could not be asked", "تعذّر سؤاله"),
    ("not-available", "is not available", "غير متاح"),
    ("not-before", "Not before", "ليس قبل"),
    ("observed", "In PowerDNS", "في PowerDNS"),
    ("operations", "Operations", "العمليات"),
    ("owner", "Owner", "المالك"),
    ("ownership", "Ownership", "الملكية"),
    ("phase", "Phase", "المرحلة"),
    ("plan", "The way, with its times", "الخطة بمواعيدها"),
    ("plan-release", "What happens: the DS goes out, the time that caches may hold it is waited out, then NS and zone go out together. Afterwards the name is kept from other owners for the time of its quarantine. Clients lose the name at once.", "ما سيحدث: يُزال سجل DS، ثم يُنتظر الوقت الذي قد تحتفظ به الذاكرات المؤقتة، ثم يُزال NS والمنطقة معًا. بعد ذلك يُحجب الاسم عن المالكين الآخرين طوال مدة الحجر. يفقد العملاء الاسم فورًا."),
    ("plan-suspend", "What happens: the six names stop answering; the zone, its keys and its delegation stay, and the name stays with its owner.", "ما سيحدث: تتوقف الأسماء الستة عن الرد، وتبقى المنطقة ومفاتيحها وتفويضها، ويبقى الاسم لمالكه."),
    ("pool", "Pool", "المجموعة"),
    ("pools", "Pools", "المجموعات"),
    ("quarantined-until", "Kept from other owners until", "محجوب عن المالكين الآخرين حتى"),
    ("quota", "Quota of an owner", "حصة المالك"),
    ("reason", "Reason", "السبب"),
    ("receipt", "Receipt of the last proof", "إيصال آخر إثبات"),
    ("records", "Records", "السجلات"),
    ("registrar", "Registrar", "المسجل"),
    ("release", "Release this name", "حرّر هذا الاسم"),
    ("reserve", "Hold this name", "احجز هذا الاسم"),
    ("result", "Result", "النتيجة"),
    ("resume", "Resume", "استئناف"),
    ("retry", "Do not wait, try now", "لا تنتظر، حاول الآن"),
    ("search", "Search names", "ابحث في الأسماء"),
    ("served", "Served", "المُجاب به"),
    ("sign-in", "Sign in", "تسجيل الدخول"),
    ("sign-in-hint", "Paste an access token. `pdm up` writes one to admin.token in its state directory.", "ألصق رمز وصول. يكتب `pdm up` رمزًا في admin.token داخل مجلد الحالة."),
    ("sign-in-wrong", "This token is not known, or its time is over.", "هذا الرمز غير معروف أو انتهت صلاحيته."),
    ("sign-out", "Sign out", "تسجيل الخروج"),
    ("signs", "Signs", "يوقّع"),
    ("skip", "Skip to the content", "انتقل إلى المحتوى"),
    ("sovereign", "Sovereign", "السيادي"),
    ("sovereigns", "Sovereigns", "السياديون"),
    ("state-broken", "Not as it should be", "ليس كما ينبغي"),
    ("state-done", "Done", "تم"),
    ("state-later", "Later", "لاحقًا"),
    ("state-unknown", "Not seen from here", "لا يُرى من هنا"),
    ("state-working", "Under way", "قيد التنفيذ"),
    ("state-yours", "Somebody must act", "يتطلب تدخّل شخص"),
    ("status", "Status", "الحالة"),
    ("steps", "Steps", "الخطوات"),
    ("suggestions", "Free and close", "أسماء قريبة متاحة"),
    ("suspend", "Suspend", "تعليق"),
    ("target", "Load balancers", "موازنات الحمل"),
    ("time", "Time", "الوقت"),
    ("time-line", "Time line", "الخط الزمني"),
    ("token", "Access token", "رمز الوصول"),
    ("transport", "Transport", "النقل"),
    ("ttl", "TTL", "TTL"),
    ("type", "Type", "النوع"),
    ("type-the-name", "Type the whole name to confirm", "اكتب الاسم كاملًا للتأكيد"),
    ("type-the-name-wrong", "The name that was typed is not this one; nothing was changed.", "الاسم المكتوب ليس هذا الاسم؛ لم يتغير شيء."),
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
    ("waits-for", "Waits for", "ينتظر"),
    ("what", "What", "ماذا"),
    ("who-acts", "Who must act", "من عليه التصرف"),
    ("who-caller", "The owner", "المالك"),
    ("who-nobody", "Nobody; it ends by itself", "لا أحد؛ ينتهي تلقائيًا"),
    ("who-operator", "The operator", "المشغّل"),
    ("wizard", "Domain step", "خطوة النطاق"),
    ("your-domain", "Your domain", "نطاقك"),
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
