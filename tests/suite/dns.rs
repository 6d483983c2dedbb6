//! A DNS server for tests: it knows what the test tells it, and nothing else exists.
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, TXT};
use hickory_server::proto::rr::{Name, RData, Record};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;

/// What the server answers about a name.
#[derive(Default)]
struct Known {
    records: Vec<RData>,
    broken: bool,
}

type Zone = Arc<Mutex<HashMap<Name, Known>>>;

/// Names below which nothing is answered, until that is ended; and all that was asked.
struct Silent {
    below: Vec<Name>,
    asked: Vec<Name>,
}

impl Silent {
    fn names_asked(&self, below: &Name) -> usize {
        self.asked.iter().filter(|asked| below.zone_of(asked)).collect::<HashSet<_>>().len()
    }
}

/// A name server on a free loopback port, by UDP and TCP. Stops when dropped.
pub(crate) struct TestDns {
    /// Where it listens.
    pub address: SocketAddr,
    zone: Zone,
    silent: Arc<watch::Sender<Silent>>,
    _server: Server<Handler>,
}

impl TestDns {
    pub(crate) async fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().expect("bound")).await {
                break (udp, tcp);
            }
        };
        let address = udp.local_addr().expect("bound");
        let zone = Zone::default();
        let silent = Arc::new(watch::Sender::new(Silent { below: vec![], asked: vec![] }));
        let mut server = Server::new(Handler(zone.clone(), silent.clone()));
        server.register_socket(udp);
        server.register_listener(tcp, Duration::from_secs(5), 16);
        Self { address, zone, silent, _server: server }
    }

    /// Adds an MX record; `.` as the host is the null MX.
    pub(crate) fn mx(&self, domain: &str, preference: u16, host: &str) {
        self.add(domain, RData::MX(MX::new(preference, name(host))));
    }

    pub(crate) fn a(&self, host: &str, address: Ipv4Addr) {
        self.add(host, RData::A(A(address)));
    }

    pub(crate) fn aaaa(&self, host: &str, address: Ipv6Addr) {
        self.add(host, RData::AAAA(AAAA(address)));
    }

    pub(crate) fn txt(&self, host: &str, text: &str) {
        let parts = text.as_bytes().chunks(255).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        self.add(host, RData::TXT(TXT::new(parts)));
    }

    pub(crate) fn cname(&self, host: &str, target: &str) {
        self.add(host, RData::CNAME(CNAME(name(target))));
    }

    /// An address has this name.
    pub(crate) fn ptr(&self, address: IpAddr, target: &str) {
        self.add(&Name::from(address).to_ascii(), RData::PTR(PTR(name(target))));
    }

    /// There is no such name any more.
    pub(crate) fn forgets(&self, host: &str) {
        self.zone.lock().expect("zone").remove(&name(host));
    }

    /// From now on questions about this name are answered SERVFAIL.
    pub(crate) fn breaks(&self, host: &str) {
        self.zone.lock().expect("zone").entry(name(host)).or_default().broken = true;
    }

    /// From now on questions about this name, and names below it, get no answer until [`TestDns::answers`].
    pub(crate) fn is_silent(&self, host: &str) {
        self.silent.send_modify(|silent| silent.below.push(name(host)));
    }

    /// Ends the silence; those who still wait get their answer.
    pub(crate) fn answers(&self, host: &str) {
        self.silent.send_modify(|silent| silent.below.retain(|known| *known != name(host)));
    }

    /// How many questions there were about this name and names below it.
    pub(crate) fn asked(&self, host: &str) -> usize {
        self.silent.borrow().asked.iter().filter(|asked| name(host).zone_of(asked)).count()
    }

    /// How many names were asked for that are this one or below it.
    pub(crate) fn names_asked(&self, host: &str) -> usize {
        self.silent.borrow().names_asked(&name(host))
    }

    /// Returns once so many were.
    pub(crate) async fn was_asked(&self, host: &str, count: usize) {
        let enough = |silent: &Silent| silent.names_asked(&name(host)) >= count;
        self.silent.subscribe().wait_for(enough).await.expect("the server is there");
    }

    fn add(&self, host: &str, data: RData) {
        self.zone.lock().expect("zone").entry(name(host)).or_default().records.push(data);
    }
}

fn name(text: &str) -> Name {
    let mut name = Name::from_utf8(text).expect("a name");
    name.set_fqdn(true);
    name
}

struct Handler(Zone, Arc<watch::Sender<Silent>>);

impl Handler {
    fn answer(&self, request: &Request) -> (ResponseCode, Vec<Record>) {
        let Ok(info) = request.request_info() else { return (ResponseCode::FormErr, vec![]) };
        let wanted = info.query.query_type();
        let mut at: Name = info.query.name().into();
        let zone = self.0.lock().expect("zone");
        let mut records = Vec::new();
        loop {
            let Some(known) = zone.get(&at) else {
                let code = if records.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
                return (code, records);
            };
            if known.broken {
                return (ResponseCode::ServFail, vec![]);
            }
            let fits = known.records.iter().filter(|data| data.record_type() == wanted);
            records.extend(fits.map(|data| Record::from_rdata(at.clone(), 60, data.clone())));
            let alias = known.records.iter().find_map(|data| match data {
                RData::CNAME(target) if records.is_empty() => Some(target.0.clone()),
                _ => None,
            });
            let Some(target) = alias else { return (ResponseCode::NoError, records) };
            records.push(Record::from_rdata(at, 60, RData::CNAME(CNAME(target.clone()))));
            at = target;
        }
    }
}

impl RequestHandler for Handler {
    fn handle_request<'s, 'r, 'f, R, T>(
        &'s self,
        request: &'r Request,
        mut respond: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'f>>
    where
        R: ResponseHandler + 'f,
        T: Time + 'f,
        's: 'f,
        'r: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            if let Ok(info) = request.request_info() {
                let asked: Name = info.query.name().into();
                self.1.send_modify(|silent| silent.asked.push(asked.clone()));
                let answers = |silent: &Silent| !silent.below.iter().any(|below| below.zone_of(&asked));
                self.1.subscribe().wait_for(answers).await.expect("the sender is there");
            }
            let (code, records) = self.answer(request);
            let mut metadata = Metadata::response_from_request(&request.metadata);
            metadata.authoritative = true;
            metadata.recursion_available = true;
            metadata.response_code = code;
            let header = Header { metadata, counts: HeaderCounts::default() };
            let response =
                MessageResponseBuilder::from_message_request(request).build(metadata, records.iter(), None, None, None);
            // Who asked may have given up meanwhile.
            respond.send_response(response).await.unwrap_or(ResponseInfo::from(header))
        })
    }
}
