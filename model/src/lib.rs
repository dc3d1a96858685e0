//! Domain vocabulary of Lantian. No I/O, no runtime, no wall clock (only the [`time::Clock`] trait and its system form).
//!
//! | noun | 中文 | module |
//! |---|---|---|
//! | Device, Profile | 设备、设备型号配置 | [`register`] |
//! | Subject (restaurant, site, gate, truck, disposal site) | 监管对象 | [`register`] |
//! | Installation: which device measures which subject, and when | 安装关系 | [`register`] |
//! | Permit, Limit, Grid, Office, Calendar | 准运证、限值、网格、机构、日历 | [`register`] |
//! | Area, Notice, `NightPermit`, Cleaning, Manifest, Maintenance, Schedule, Background | 区域、预警通知、夜间施工证明、清洗记录、联单、维护时段、营业时间、背景站 | [`register`] |
//! | Envelope: raw bytes with provenance; Position: a place in the journal | 原始报文、日志位置 | [`envelope`] |
//! | Record: what one device said about one moment | 记录 | [`record`] |
//! | Quantity, Unit | 监测量、单位 | [`quantity`], [`unit`] |
//! | Verdict: stored, revised, duplicate, quarantined | 入库结论 | [`verdict`] |
//! | Facts: the registers as of a position | 台账快照 | [`facts`] |
//! | Episode: a stretch of time in which a rule was broken | 违规时段 | [`episode`] |
//! | Case and its moves | 案件 | [`case`] |
//! | Blob: a picture or file, named by its SHA-256 | 图片与附件 | [`blob`] |
//! | Command: what we tell a device, and what became of it | 下行指令 | [`downlink`] |
//! | Tick, Outage, Batch: what settle hands on | 处理流 | [`stream`] |
//! | Endpoint: where a Modbus slave is reached | Modbus 地址 | [`modbus`] |
//! | Seams: the traits the crates meet at | 接缝 | [`seams`] |

pub mod blob;
pub mod case;
pub mod downlink;
pub mod envelope;
pub mod episode;
pub mod event_rule;
pub mod facts;
pub mod gatekeeper;
pub mod geo;
pub mod id;
pub mod modbus;
pub mod net;
pub mod notice;
pub mod principal;
pub mod provision;
pub mod quantity;
pub mod record;
pub mod register;
pub mod seams;
pub mod stream;
pub mod time;
pub mod trip;
pub mod truck;
pub mod unit;
pub mod verdict;
