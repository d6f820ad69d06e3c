//! What the engine says, in the viewer's language. English is the engine's own; the tables here are checked by the
//! compiler, so a new step or stage asks for its words.

use pdm_model::byo::{Act, Instruction};
use pdm_model::handover::{Planned, Stage};
use pdm_model::{StepKind, ZoneName};

use super::viewer::Chrome;
use super::words::Lang;

impl Chrome {
    /// What a step is for.
    pub(crate) fn purpose(&self, step: StepKind) -> &'static str {
        match self.lang {
            Lang::En => step.purpose(),
            Lang::Ar => purpose_ar(step),
        }
    }

    /// What happens at a stage of a move. Which keys and addresses it is about stands in the lines to copy.
    pub(crate) fn stage<'a>(&self, planned: &'a Planned) -> &'a str {
        match self.lang {
            Lang::En => &planned.detail,
            Lang::Ar => stage_ar(planned),
        }
    }

    /// What somebody is asked to do at the parent.
    pub(crate) fn instruction(&self, todo: &Instruction, name: &ZoneName) -> String {
        match self.lang {
            Lang::En => todo.text.clone(),
            Lang::Ar => instruction_ar(todo.action, name),
        }
    }
}

#[rustfmt::skip]
fn purpose_ar(step: StepKind) -> &'static str {
    match step {
        StepKind::WithdrawStaleDs => "إزالة سجل DS لا يطابق أي مفتاح للمنطقة من النطاق الأب",
        StepKind::EnsureZone => "كتابة المنطقة ومفاتيحها والسجلات الستة",
        StepKind::EnsureParentNs => "كتابة NS في النطاق الأب، ومعه DS إذا كانت المفاتيح تُقدَّم بالفعل",
        StepKind::EnsureParentDs => "كتابة DS في النطاق الأب للمفاتيح التي يجيب بها كل خادم",
        StepKind::EnsureFailover => "سؤال كل خادم أسماء عما تحسبه سياسته كي تبدأ فحوص السلامة",
        StepKind::AwaitChain => "سؤال كل خادم أسماء وإثبات الإجابات من مرساة الثقة",
        StepKind::RollKeys => "إدخال مفاتيح جديدة وإخراج القديمة مرحلةً بعد مرحلة",
        StepKind::WithdrawParentDs => "إزالة DS من النطاق الأب",
        StepKind::AwaitDsGone => "الانتظار حتى لا يبقى DS في أي ذاكرة مؤقتة",
        StepKind::RemoveDelegationAndZone => "إزالة NS والمنطقة معًا",
        StepKind::LookAtParent => "قراءة ما في النطاق الأب وحفظه لطريق العودة ورفض ما لا يمكن أن ينجح",
        StepKind::AwaitAuthoritative => "سؤال كل خادم أسماء عن المنطقة قبل أن يشير إليها شيء",
        StepKind::AwaitCarryOver => "نقل سجلات الخوادم السابقة والانتظار حتى يتطابق البريد والويب أو يُسمح باختلافهما",
        StepKind::WithdrawForeignDs => "إزالة DS الخاص بالخوادم السابقة من النطاق الأب",
        StepKind::AwaitForeignDsGone => "الانتظار حتى لا يبقى DS الخوادم السابقة في أي ذاكرة مؤقتة",
        StepKind::EnsureDelegation => "كتابة NS في النطاق الأب عبر واجهته أو بيد شخص",
        StepKind::AwaitDelegation => "الانتظار حتى يفوّض كل خادم للنطاق الأب إلينا",
        StepKind::AwaitOldCaches => "الانتظار حتى لا يبقى شيء من الخوادم السابقة في أي ذاكرة مؤقتة",
        StepKind::EnsureDelegationDs => "كتابة DS في النطاق الأب عبر واجهته أو بيد شخص",
        StepKind::AwaitDelegationDs => "الانتظار حتى يجيب كل خادم للنطاق الأب بسجل DS",
        StepKind::WithdrawDelegationDs => "إزالة DS من النطاق الأب",
        StepKind::AwaitDelegationDsGone => "الانتظار حتى لا يبقى DS المُزال في أي ذاكرة مؤقتة",
        StepKind::ReturnDelegation => "كتابة مجموعة NS السابقة، أو إزالة NS",
        StepKind::AwaitDelegationGone => "الانتظار حتى لا يفوّض أي خادم إلينا ولا تسألنا أي ذاكرة مؤقتة",
        StepKind::RemoveZone => "إزالة المنطقة",
        StepKind::RestoreDelegationDs => "إعادة DS السابق إن كانت خوادمه لا تزال توقّع بمفتاحه",
        StepKind::AwaitRestoredDs => "الانتظار حتى يجيب كل خادم للنطاق الأب بسجل DS السابق",
        StepKind::ForgetCredential => "حذف بيانات اعتماد المسجل",
    }
}

fn stage_ar(planned: &Planned) -> &str {
    match planned.stage {
        Stage::WithdrawDs => "يُزال من النطاق الأب سجل DS الذي لا يطابق مفاتيح الخوادم الجديدة",
        Stage::DsOut => "لا يبقى سجل DS هذا في أي ذاكرة مؤقتة",
        // Names of nameservers read the same in every language.
        Stage::ChangeNs => &planned.detail,
        Stage::OldOut => "لا يبقى شيء من الخوادم السابقة في أي ذاكرة مؤقتة",
        Stage::PublishDs => "يُكتب في النطاق الأب سجل DS لمفاتيح الخوادم الجديدة",
    }
}

#[rustfmt::skip]
fn instruction_ar(act: Act, name: &ZoneName) -> String {
    // Isolates keep a name whole inside text that runs the other way.
    let name = format!("\u{2066}{name}\u{2069}");
    match act {
        Act::AddDs => format!(
            "أضف سجل DS هذا للنطاق {name} لدى مسجّله أو في المنطقة الأب؛ وحيث تُطلب المفاتيح أعطِ DNSKEY."
        ),
        Act::RemoveDs => format!(
            "أزل سجل DS للنطاق {name} لدى مسجّله أو في المنطقة الأب. لا يتغير شيء آخر بعد، ويبقى الاسم متاحًا."
        ),
        Act::RemoveNs => format!("أزل خوادمنا من النطاق {name}: احذف سجلات NS أو ضع غيرها."),
        Act::ReplaceDs => format!(
            "اجعل للنطاق {name} سجلات DS هذه وحدها: أضف الناقص أولًا ثم أزل ما كُتب أنه يُزال. لا داعي للعجلة، ويبقى الاسم متاحًا في الأثناء."
        ),
        Act::SetNs => format!("ضع خوادم الأسماء هذه وحدها للنطاق {name} لدى مسجّله أو في المنطقة الأب."),
    }
}
