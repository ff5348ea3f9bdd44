//! The report: which person got which key, when, and how it ended.

words! {
    /// In which form a report comes.
    pub enum ReportForm {
        /// A table, CSV.
        Csv = "csv",
        /// A table on paper, PDF.
        Pdf = "pdf",
        /// JSON.
        Json = "json",
    }
}

values! {
    /// A report, piece by piece.
    pub struct ReportPart {
        /// The next bytes, base64.
        pub pieces: Vec<String>,
        /// In the last part: how many lines the report has.
        pub lines: Option<i64>,
    }
}

requests! {
    /// What is reported. Either a run, or a stretch of time.
    pub struct ReportMake {
        /// The run, by number or name.
        pub run: Option<String>,
        /// The first day, such as 2026-12-01; the first of all when missing.
        pub from: Option<String>,
        /// The last day; today when missing.
        pub to: Option<String>,
        /// In which form; CSV when missing.
        pub form: Option<ReportForm>,
    }
}
